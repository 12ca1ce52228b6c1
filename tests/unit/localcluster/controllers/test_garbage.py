"""Owners and dependents over the real store."""

from __future__ import annotations

from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.garbage import GarbageCollector


def config_map(name: str, *owners: Object, namespace: str = "default", **metadata: Any) -> Object:
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": o["metadata"]["name"],
            "uid": o["metadata"]["uid"],
            "blockOwnerDeletion": True,
        }
        for o in owners
    ]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "ownerReferences": references, **metadata},
    }


def put(cluster: Any, obj: Object) -> Object:
    made: Object = cluster.api.create("configmaps", obj, manager="test")
    return made


def names(cluster: Any) -> set[str]:
    return {o["metadata"]["name"] for o in cluster.api.list("configmaps", "default")}


async def test_dependents_follow_their_owner(cluster: Any) -> None:
    async with cluster.running(GarbageCollector):
        owner = put(cluster, config_map("owner"))
        child = put(cluster, config_map("child", owner))
        put(cluster, config_map("grandchild", child))
        put(cluster, config_map("stranger"))
        cluster.api.delete("configmaps", "default", "owner")
        await cluster.expect(lambda: names(cluster) == {"stranger"})


async def test_one_owner_left_is_enough(cluster: Any) -> None:
    async with cluster.running(GarbageCollector):
        first, second = put(cluster, config_map("first")), put(cluster, config_map("second"))
        put(cluster, config_map("child", first, second))
        cluster.api.delete("configmaps", "default", "first")

        def owners() -> list[str]:
            child = cluster.api.get("configmaps", "default", "child")
            return [o["name"] for o in child["metadata"]["ownerReferences"]]

        await cluster.expect(lambda: owners() == ["second"])


async def test_an_owner_that_never_was_is_an_owner_that_is_gone(cluster: Any) -> None:
    async with cluster.running(GarbageCollector):
        put(cluster, config_map("child", {"metadata": {"name": "ghost", "uid": "no-such-uid"}}))
        await cluster.expect(lambda: names(cluster) == set())


async def test_an_owner_of_an_unknown_kind_is_given_the_benefit_of_the_doubt(cluster: Any) -> None:
    async with cluster.running(GarbageCollector):
        child = config_map("child", {"metadata": {"name": "ghost", "uid": "no-such-uid"}})
        child["metadata"]["ownerReferences"][0].update(apiVersion="acme.dev/v1", kind="Widget")
        put(cluster, child)
        await cluster.quiet()
        assert names(cluster) == {"child"}


async def test_an_owner_in_another_namespace_counts_for_nothing(cluster: Any) -> None:
    async with cluster.running(GarbageCollector):
        owner = put(cluster, config_map("owner", namespace="kube-public"))
        put(cluster, config_map("child", owner))
        await cluster.expect(lambda: names(cluster) == set())


async def test_foreground_keeps_the_owner_until_its_dependents_are_gone(cluster: Any) -> None:
    async with cluster.running(GarbageCollector):
        owner = put(cluster, config_map("owner"))
        put(cluster, config_map("child", owner, finalizers=["acme.dev/wait"]))
        await cluster.quiet()
        cluster.api.delete("configmaps", "default", "owner", propagation="Foreground")
        await cluster.expect(
            lambda: cluster.api.get("configmaps", "default", "child")["metadata"].get("deletionTimestamp")
        )
        assert names(cluster) == {"owner", "child"}
        patch = {"metadata": {"finalizers": None}}
        cluster.api.patch("configmaps", "default", "child", patch, manager="test")
        await cluster.expect(lambda: names(cluster) == set())


async def test_orphans_stay_and_forget_their_owner(cluster: Any) -> None:
    async with cluster.running(GarbageCollector):
        owner = put(cluster, config_map("owner"))
        put(cluster, config_map("child", owner))
        await cluster.quiet()
        cluster.api.delete("configmaps", "default", "owner", propagation="Orphan")
        await cluster.expect(lambda: names(cluster) == {"child"})
        child = cluster.api.get("configmaps", "default", "child")
        assert not child["metadata"].get("ownerReferences")
