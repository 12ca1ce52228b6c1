"""The scheduler over the real store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.objects import condition
from aegis.localcluster.controllers.scheduler import Scheduler

Make = Callable[..., Object]


def put(cluster: Any, obj: Object) -> None:
    cluster.api.create("pods", obj, manager="test")


def node_of(cluster: Any, name: str) -> str:
    node: str = cluster.api.get("pods", "default", name)["spec"].get("nodeName", "")
    return node


def scheduled(cluster: Any, name: str) -> Any:
    return condition(cluster.api.get("pods", "default", name), "PodScheduled")


async def test_a_pod_gets_a_node(cluster: Any, make_pod: Make) -> None:
    cluster.node()
    async with cluster.running(Scheduler):
        put(cluster, make_pod("p"))
        await cluster.expect(lambda: node_of(cluster, "p") == "n1")
        assert scheduled(cluster, "p")["status"] == "True"
        assert cluster.messages("Scheduled") == ["Successfully assigned default/p to n1"]


async def test_a_pod_that_fits_nowhere_waits_for_a_change(cluster: Any, make_pod: Make) -> None:
    cluster.node(cpu="1")
    big = {"resources": {"requests": {"cpu": "3"}}}
    async with cluster.running(Scheduler):
        put(cluster, make_pod("big", container=big))
        await cluster.expect(lambda: scheduled(cluster, "big"))
        found = scheduled(cluster, "big")
        assert (found["status"], found["reason"]) == ("False", "Unschedulable")
        assert "1 Insufficient cpu" in found["message"]
        assert cluster.messages("FailedScheduling") == [found["message"]]
        cluster.node("n2", cpu="8")
        await cluster.expect(lambda: node_of(cluster, "big") == "n2")


async def test_room_that_is_freed_is_used(cluster: Any, make_pod: Make) -> None:
    cluster.node(pods="1")
    async with cluster.running(Scheduler):
        put(cluster, make_pod("first"))
        await cluster.expect(lambda: node_of(cluster, "first"))
        put(cluster, make_pod("second"))
        await cluster.expect(lambda: scheduled(cluster, "second"))
        assert node_of(cluster, "second") == ""
        cluster.api.delete("pods", "default", "first", grace_seconds=0)
        await cluster.expect(lambda: node_of(cluster, "second"))


async def test_gates_hold_a_pod_back(cluster: Any, make_pod: Make) -> None:
    cluster.node()
    async with cluster.running(Scheduler):
        put(cluster, make_pod("gated", schedulingGates=[{"name": "acme.dev/wait"}]))
        await cluster.expect(lambda: (scheduled(cluster, "gated") or {}).get("reason") == "SchedulingGated")
        assert cluster.messages("FailedScheduling") == []
        cluster.api.patch("pods", "default", "gated", {"spec": {"schedulingGates": None}}, manager="test")
        await cluster.expect(lambda: node_of(cluster, "gated"))


async def test_a_burst_does_not_overfill_a_node(cluster: Any, make_pod: Make) -> None:
    cluster.node("n1", cpu="1")
    cluster.node("n2", cpu="1")
    small = {"resources": {"requests": {"cpu": "400m"}}}
    async with cluster.running(Scheduler):
        for number in range(5):
            put(cluster, make_pod(f"p{number}", container=small))
        await cluster.expect(lambda: len(cluster.messages("Scheduled")) == 4)
        await cluster.quiet()
        nodes = sorted(node_of(cluster, f"p{n}") for n in range(5))
        assert nodes == ["", "n1", "n1", "n2", "n2"]


async def test_another_schedulers_pod_is_left_alone(cluster: Any, make_pod: Make) -> None:
    cluster.node()
    async with cluster.running(Scheduler):
        put(cluster, make_pod("foreign", schedulerName="mine"))
        await cluster.quiet()
        assert node_of(cluster, "foreign") == ""
