"""StatefulSets: numbers, order, partitions and claims, over the real store."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.scheduler import Scheduler
from aegis.localcluster.controllers.statefulset import StatefulSetController
from aegis.localcluster.controllers.volumeclaim import VolumeClaimController

NEW = "nginx:1.27"


def stateful_set(replicas: int = 3, **spec: Any) -> Object:
    containers = [{"name": "c", "image": "busybox:1.36"}]
    template = {"metadata": {"labels": {"app": "s"}}, "spec": {"containers": containers}}
    labels = {"matchLabels": {"app": "s"}}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "s", "namespace": "default"},
        "spec": {"replicas": replicas, "serviceName": "s", "selector": labels, "template": template, **spec},
    }


def status(cluster: Any) -> Object:
    found: Object = cluster.api.get("statefulsets.apps", "default", "s").get("status") or {}
    return found


def names(cluster: Any) -> list[str]:
    return sorted(p["metadata"]["name"] for p in cluster.pods())


def images(cluster: Any) -> dict[str, str]:
    return {p["metadata"]["name"]: p["spec"]["containers"][0]["image"] for p in cluster.pods()}


def going(cluster: Any) -> list[str]:
    return [p["metadata"]["name"] for p in cluster.pods() if p["metadata"].get("deletionTimestamp")]


def change(cluster: Any, **spec: Any) -> None:
    cluster.api.patch("statefulsets.apps", "default", "s", {"spec": spec}, manager="test")


def change_image(cluster: Any) -> None:
    change(cluster, template={"spec": {"containers": [{"name": "c", "image": NEW}]}})


async def settled(cluster: Any, replicas: int = 3) -> None:
    await cluster.expect(
        lambda: (
            cluster.make_all_ready()
            and status(cluster).get("availableReplicas") == replicas
            and status(cluster)["currentRevision"] == status(cluster)["updateRevision"]
        )
    )


async def test_starts_one_after_the_other_and_ends_from_the_end(cluster: Any) -> None:
    cluster.node()
    async with cluster.running(StatefulSetController, Scheduler):
        cluster.api.create("statefulsets.apps", stateful_set(), manager="test")
        for count in (1, 2, 3):
            await cluster.expect(lambda: len(cluster.pods()) == count)  # noqa: B023 - asked before the next round
            await cluster.quiet()
            assert names(cluster) == [f"s-{n}" for n in range(count)]
            cluster.make_all_ready()
        await settled(cluster)
        counts = status(cluster)
        assert (counts["readyReplicas"], counts["updatedReplicas"], counts["currentReplicas"]) == (3, 3, 3)
        change(cluster, replicas=1)
        for last in ("s-2", "s-1"):
            await cluster.expect(lambda: going(cluster))
            await cluster.quiet()
            assert going(cluster) == [last]
            cluster.make_all_ready()
        await cluster.expect(lambda: names(cluster) == ["s-0"])


async def test_a_pod_has_a_name_that_stays(cluster: Any) -> None:
    cluster.node()
    async with cluster.running(StatefulSetController, Scheduler):
        cluster.api.create("statefulsets.apps", stateful_set(1), manager="test")
        (first,) = await cluster.expect(cluster.pods)
        assert (first["spec"]["hostname"], first["spec"]["subdomain"]) == ("s-0", "s")
        assert first["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] == "s-0"
        assert first["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "0"
        cluster.api.delete("pods", "default", "s-0", grace_seconds=0)
        (second,) = await cluster.expect(cluster.pods)
        assert second["metadata"]["name"] == "s-0"
        assert second["metadata"]["uid"] != first["metadata"]["uid"]


async def test_in_parallel_nobody_waits(cluster: Any) -> None:
    async with cluster.running(StatefulSetController):
        wanted = stateful_set(3, podManagementPolicy="Parallel", ordinals={"start": 5})
        cluster.api.create("statefulsets.apps", wanted, manager="test")
        await cluster.expect(lambda: names(cluster) == ["s-5", "s-6", "s-7"])


async def test_rolls_from_the_end_and_waits_for_each(cluster: Any) -> None:
    cluster.node()
    async with cluster.running(StatefulSetController, Scheduler):
        cluster.api.create("statefulsets.apps", stateful_set(), manager="test")
        await settled(cluster)
        change_image(cluster)
        for last in ("s-2", "s-1", "s-0"):
            await cluster.expect(lambda: going(cluster))
            await cluster.quiet()
            assert going(cluster) == [last]
            cluster.api.delete("pods", "default", last, grace_seconds=0)
            await cluster.expect(lambda: images(cluster).get(last) == NEW)  # noqa: B023 - asked before the next round
            await cluster.quiet()
            assert not going(cluster)  # the new one is not ready yet
            await cluster.expect(lambda: cluster.api.get("pods", "default", last)["spec"].get("nodeName"))  # noqa: B023
            cluster.make_ready(cluster.api.get("pods", "default", last))
        await settled(cluster)
        assert sorted(r["revision"] for r in cluster.api.list("controllerrevisions.apps")) == [1, 2]


async def test_below_the_partition_all_stays_as_it_was(cluster: Any) -> None:
    cluster.node()
    async with cluster.running(StatefulSetController, Scheduler):
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
        cluster.api.create("statefulsets.apps", stateful_set(updateStrategy=strategy), manager="test")
        await settled(cluster)
        change_image(cluster)
        await cluster.expect(lambda: cluster.make_all_ready() and images(cluster).get("s-2") == NEW)
        cluster.make_all_ready()
        cluster.api.delete("pods", "default", "s-0", grace_seconds=0)
        await cluster.expect(lambda: cluster.make_all_ready() and status(cluster).get("readyReplicas") == 3)
        assert images(cluster) == {"s-0": "busybox:1.36", "s-1": "busybox:1.36", "s-2": NEW}
        assert status(cluster)["updatedReplicas"] == 1
        assert status(cluster)["currentRevision"] != status(cluster)["updateRevision"]


async def test_on_delete_waits_for_a_person(cluster: Any) -> None:
    cluster.node()
    async with cluster.running(StatefulSetController, Scheduler):
        wanted = stateful_set(2, updateStrategy={"type": "OnDelete"})
        cluster.api.create("statefulsets.apps", wanted, manager="test")
        await settled(cluster, 2)
        change_image(cluster)
        await cluster.expect(lambda: status(cluster)["observedGeneration"] == 2)
        await cluster.quiet()
        assert NEW not in images(cluster).values()
        cluster.api.delete("pods", "default", "s-0", grace_seconds=0)
        await cluster.expect(lambda: images(cluster).get("s-0") == NEW)


@pytest.mark.parametrize("scaled", [0, 1])
async def test_each_number_has_claims_of_its_own_that_stay(cluster: Any, scaled: int) -> None:
    cluster.node()
    storage = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claims = [{"metadata": {"name": "data"}, "spec": storage}]
    async with cluster.running(StatefulSetController, VolumeClaimController, Scheduler):
        cluster.api.create("statefulsets.apps", stateful_set(2, volumeClaimTemplates=claims), manager="test")
        await settled(cluster, 2)
        (volume,) = [v for v in cluster.pods()[0]["spec"]["volumes"] if v["name"] == "data"]
        assert volume["persistentVolumeClaim"]["claimName"] == f"data-{cluster.pods()[0]['metadata']['name']}"
        change(cluster, replicas=scaled)
        await cluster.expect(lambda: cluster.make_all_ready() and len(cluster.pods()) == scaled)
        kept = cluster.api.list("persistentvolumeclaims", "default")
        assert sorted(c["metadata"]["name"] for c in kept) == ["data-s-0", "data-s-1"]
        assert {c["status"]["phase"] for c in kept} == {"Bound"}
