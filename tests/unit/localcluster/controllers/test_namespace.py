"""Namespaces that go, and those that are born."""

from __future__ import annotations

from typing import Any

from aegis.localcluster.controllers.namespace import NamespaceController
from aegis.localcluster.controllers.objects import condition
from aegis.localcluster.controllers.serviceaccount import ServiceAccountController


def make(cluster: Any, **config_map: Any) -> None:
    cluster.api.create("namespaces", {"metadata": {"name": "shadow"}}, manager="test")
    metadata = {"name": "x", "namespace": "shadow", **config_map}
    cluster.api.create("configmaps", {"metadata": metadata}, manager="test")


async def test_content_goes_first(cluster: Any) -> None:
    async with cluster.running(NamespaceController, ServiceAccountController):
        make(cluster)
        await cluster.expect(lambda: cluster.api.get("serviceaccounts", "shadow", "default"))
        cluster.api.delete("namespaces", None, "shadow")
        await cluster.expect(lambda: cluster.api.get("namespaces", None, "shadow") is None)
        assert not cluster.api.list("configmaps", "shadow")
        assert not cluster.api.list("serviceaccounts", "shadow")


async def test_a_finalizer_holds_it_and_is_named(cluster: Any) -> None:
    async with cluster.running(NamespaceController):
        make(cluster, finalizers=["acme.dev/wait"])
        cluster.api.delete("namespaces", None, "shadow")

        def held() -> Any:
            return condition(cluster.api.get("namespaces", None, "shadow"), "NamespaceFinalizersRemaining")

        found = await cluster.expect(held)
        assert found["message"].endswith("acme.dev/wait in 1 resource instances")
        patch = {"metadata": {"finalizers": None}}
        cluster.api.patch("configmaps", "shadow", "x", patch, manager="test")
        await cluster.expect(lambda: cluster.api.get("namespaces", None, "shadow") is None)


async def test_other_namespaces_are_left_alone(cluster: Any) -> None:
    async with cluster.running(NamespaceController):
        cluster.api.create("configmaps", {"metadata": {"name": "mine", "namespace": "default"}}, manager="test")
        make(cluster)
        cluster.api.delete("namespaces", None, "shadow")
        await cluster.expect(lambda: cluster.api.get("namespaces", None, "shadow") is None)
        assert cluster.api.get("configmaps", "default", "mine")
