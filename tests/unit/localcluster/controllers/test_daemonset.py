"""DaemonSets: a pod on every node that fits, over the real store."""

from __future__ import annotations

from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.daemondecision import node_of
from aegis.localcluster.controllers.daemonset import DaemonSetController
from aegis.localcluster.controllers.scheduler import Scheduler

GPU = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


def daemon_set(image: str = "busybox:1.36", pod: Object | None = None, **spec: Any) -> Object:
    containers = [{"name": "c", "image": image}]
    template = {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": containers, **(pod or {})}}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "d", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "d"}}, "template": template, **spec},
    }


def status(cluster: Any) -> Object:
    found: Object = cluster.api.get("daemonsets.apps", "default", "d").get("status") or {}
    return found


def where(cluster: Any) -> list[str]:
    return sorted(p["spec"].get("nodeName", "") for p in cluster.pods())


def images(cluster: Any) -> list[str]:
    return sorted(p["spec"]["containers"][0]["image"] for p in cluster.pods())


def change_image(cluster: Any) -> None:
    template = {"spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]}}
    cluster.api.patch("daemonsets.apps", "default", "d", {"spec": {"template": template}}, manager="test")


async def test_follows_the_nodes(cluster: Any) -> None:
    cluster.node("n1")
    cluster.node("n2", unschedulable=True)
    cluster.node("n3", taints=[GPU])
    async with cluster.running(DaemonSetController, Scheduler):
        cluster.api.create("daemonsets.apps", daemon_set(), manager="test")
        await cluster.expect(lambda: where(cluster) == ["n1", "n2"])
        cluster.node("n4")
        await cluster.expect(lambda: where(cluster) == ["n1", "n2", "n4"])
        cluster.make_all_ready()
        await cluster.expect(lambda: status(cluster).get("numberAvailable") == 3)
        counts = status(cluster)
        assert (counts["desiredNumberScheduled"], counts["currentNumberScheduled"]) == (3, 3)
        assert (counts["updatedNumberScheduled"], counts["numberMisscheduled"]) == (3, 0)
        evicting = {"spec": {"taints": [{**GPU, "effect": "NoExecute"}]}}
        cluster.api.patch("nodes", None, "n4", evicting, manager="test")
        await cluster.expect(lambda: cluster.make_all_ready() and where(cluster) == ["n1", "n2"])


async def test_a_node_selector_and_a_toleration_count(cluster: Any) -> None:
    cluster.node("n1")
    cluster.node("n2", taints=[GPU], labels={"disk": "ssd"})
    chosen = {"nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "gpu", "operator": "Exists"}]}
    async with cluster.running(DaemonSetController, Scheduler):
        cluster.api.create("daemonsets.apps", daemon_set(pod=chosen), manager="test")
        await cluster.expect(lambda: where(cluster) == ["n2"])
        cluster.api.patch("nodes", None, "n1", {"metadata": {"labels": {"disk": "ssd"}}}, manager="test")
        await cluster.expect(lambda: where(cluster) == ["n1", "n2"])


async def test_rolls_one_node_after_the_other(cluster: Any) -> None:
    for name in ("n1", "n2", "n3"):
        cluster.node(name)
    async with cluster.running(DaemonSetController, Scheduler):
        cluster.api.create("daemonsets.apps", daemon_set(), manager="test")
        await cluster.expect(lambda: where(cluster) == ["n1", "n2", "n3"])
        cluster.make_all_ready()
        await cluster.expect(lambda: status(cluster).get("numberAvailable") == 3)
        change_image(cluster)
        going = await cluster.expect(lambda: [p for p in cluster.pods() if p["metadata"].get("deletionTimestamp")])
        await cluster.quiet()
        assert len(going) == 1  # maxUnavailable
        await cluster.expect(lambda: cluster.make_all_ready() and images(cluster) == ["nginx:1.27"] * 3)
        await cluster.expect(lambda: status(cluster).get("updatedNumberScheduled") == 3)
        kept = cluster.api.list("controllerrevisions.apps", "default")
        assert sorted(r["revision"] for r in kept) == [1, 2]
        assert sorted(node_of(p) for p in cluster.pods()) == ["n1", "n2", "n3"]


async def test_a_surge_has_the_new_pod_ready_first(cluster: Any) -> None:
    cluster.node("n1")
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    async with cluster.running(DaemonSetController, Scheduler):
        cluster.api.create("daemonsets.apps", daemon_set(updateStrategy=strategy), manager="test")
        await cluster.expect(lambda: where(cluster) == ["n1"])
        cluster.make_all_ready()
        await cluster.expect(lambda: status(cluster).get("numberAvailable") == 1)
        change_image(cluster)
        await cluster.expect(lambda: len(cluster.pods()) == 2)
        await cluster.quiet()
        assert not any(p["metadata"].get("deletionTimestamp") for p in cluster.pods())
        await cluster.expect(lambda: cluster.make_all_ready() and images(cluster) == ["nginx:1.27"])


async def test_on_delete_waits_for_a_person(cluster: Any) -> None:
    cluster.node("n1")
    async with cluster.running(DaemonSetController):
        cluster.api.create("daemonsets.apps", daemon_set(updateStrategy={"type": "OnDelete"}), manager="test")
        (old,) = await cluster.expect(cluster.pods)
        change_image(cluster)
        await cluster.expect(lambda: status(cluster).get("observedGeneration") == 2)
        assert [p["metadata"]["name"] for p in cluster.pods()] == [old["metadata"]["name"]]
        cluster.api.delete("pods", "default", old["metadata"]["name"], grace_seconds=0)
        await cluster.expect(lambda: images(cluster) == ["nginx:1.27"])


async def test_a_change_back_is_the_newest_revision_again(cluster: Any) -> None:
    async with cluster.running(DaemonSetController):
        cluster.api.create("daemonsets.apps", daemon_set(), manager="test")
        await cluster.expect(lambda: cluster.api.list("controllerrevisions.apps"))
        change_image(cluster)
        await cluster.expect(lambda: len(cluster.api.list("controllerrevisions.apps")) == 2)
        cluster.api.update("daemonsets.apps", daemon_set(), manager="test")
        await cluster.expect(
            lambda: sorted(r["revision"] for r in cluster.api.list("controllerrevisions.apps")) == [2, 3]
        )
