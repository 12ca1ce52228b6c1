"""What befalls pods because of their node."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.localcluster.api import Object, Pace
from aegis.localcluster.controllers.nodes import CordonController, PodCollector, TaintEviction


def taints(cluster: Any, name: str = "n1") -> list[Object]:
    found: list[Object] = cluster.api.get("nodes", None, name)["spec"].get("taints") or []
    return found


def gone(cluster: Any, name: str) -> bool:
    pod = cluster.api.get("pods", "default", name)
    return pod is None or bool(pod["metadata"].get("deletionTimestamp"))


async def test_a_cordon_comes_and_goes_as_a_taint(cluster: Any) -> None:
    own = {"key": "a", "effect": "NoSchedule"}
    cluster.node(taints=[own])
    async with cluster.running(CordonController):
        cluster.api.patch("nodes", None, "n1", {"spec": {"unschedulable": True}}, manager="test")
        await cluster.expect(lambda: len(taints(cluster)) == 2)
        assert taints(cluster)[1]["key"] == "node.kubernetes.io/unschedulable"
        cluster.api.patch("nodes", None, "n1", {"spec": {"unschedulable": None}}, manager="test")
        await cluster.expect(lambda: taints(cluster) == [own])


@pytest.mark.parametrize("pace", [Pace(scale=1000)])
async def test_a_pod_stays_as_long_as_it_tolerates(cluster: Any, make_pod: Any) -> None:
    cluster.node()
    taint = {"key": "out", "value": "now", "effect": "NoExecute"}
    for name, toleration in (
        ("never", {"key": "other", "operator": "Exists"}),
        ("for-a-while", {"key": "out", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}),
        ("for-ever", {"key": "out", "value": "now"}),
    ):
        made = cluster.api.create("pods", make_pod(name, tolerations=[toleration], nodeName="n1"), manager="test")
        cluster.make_ready(made)
    async with cluster.running(TaintEviction):
        cluster.api.patch("nodes", None, "n1", {"spec": {"taints": [taint]}}, manager="test")
        await cluster.expect(lambda: gone(cluster, "never"))
        assert cluster.messages("TaintManagerEviction") == ["Marking for deletion Pod default/never"]
        await cluster.expect(lambda: gone(cluster, "for-a-while"))
        assert not gone(cluster, "for-ever")


@pytest.mark.parametrize("pace", [Pace(scale=1000)])
async def test_pods_go_with_their_node(cluster: Any, make_pod: Any) -> None:
    cluster.node()
    cluster.node("n2")
    async with cluster.running(PodCollector):
        for name, node in (("a", "n1"), ("b", "n2")):
            made = cluster.api.create("pods", make_pod(name, nodeName=node), manager="test")
            cluster.make_ready(made)
        held = {"metadata": {"finalizers": ["example.com/hold"]}}
        cluster.api.patch("pods", "default", "a", held, manager="test")
        cluster.api.delete("nodes", None, "n1")
        await cluster.expect(lambda: gone(cluster, "a"))
        pod = cluster.api.get("pods", "default", "a")
        assert pod["status"]["phase"] == "Failed"
        assert [c["reason"] for c in pod["status"]["conditions"] if c["type"] == "DisruptionTarget"] == [
            "DeletionByPodGC"
        ]
        assert not gone(cluster, "b")
