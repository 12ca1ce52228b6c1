"""How much of an object answers, read from what the API server says of it."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.delivery.health import selector_text, workload_health
from aegis.model.health import Health


def deployment(*, generation: int = 2, seen: int = 2, updated: int = 3, ready: int = 3) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"generation": generation},
        "spec": {"replicas": 3},
        "status": {"observedGeneration": seen, "updatedReplicas": updated, "readyReplicas": ready},
    }


def pods(count: int, restarts: int = 0) -> list[Any]:
    return [{"status": {"containerStatuses": [{"name": "web", "restartCount": restarts}]}} for _ in range(count)]


def test_all_that_is_wanted_is_ready() -> None:
    health = workload_health(deployment(), pods(3))
    assert health == Health(wanted=3, ready=3, crashes=0, settled=True)
    assert health.good


@pytest.mark.parametrize(
    ("obj", "count"),
    [(deployment(seen=1), 3), (deployment(updated=2), 3), (deployment(), 4)],
    ids=["the newest specification was not seen", "old pods serve still", "old pods are not gone"],
)
def test_an_unfinished_rollout_is_not_settled(obj: dict[str, Any], count: int) -> None:
    assert not workload_health(obj, pods(count)).good


def test_restarts_count_whatever_the_pod_is_waiting_for() -> None:
    assert workload_health(deployment(), pods(3, restarts=2)).crashes == 6


def test_a_daemon_set_counts_nodes() -> None:
    status = {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberReady": 1, "observedGeneration": 1}
    obj = {"kind": "DaemonSet", "metadata": {"generation": 1}, "spec": {}, "status": status}
    assert workload_health(obj, pods(2)) == Health(wanted=2, ready=1, settled=True)


def test_scaled_to_zero_is_not_good() -> None:
    """Else the surest way to mend a workload would be to take it away."""
    obj = deployment(updated=0, ready=0)
    obj["spec"]["replicas"] = 0
    assert not workload_health(obj, []).good


def test_selectors_are_spelled_as_the_query_parameter() -> None:
    selector = {
        "matchLabels": {"app": "web", "tier": "front"},
        "matchExpressions": [
            {"key": "a", "operator": "In", "values": ["1", "2"]},
            {"key": "b", "operator": "NotIn", "values": ["3"]},
            {"key": "c", "operator": "Exists"},
            {"key": "d", "operator": "DoesNotExist"},
        ],
    }
    assert selector_text(selector) == "app=web,tier=front,a in (1,2),b notin (3),c,!d"
