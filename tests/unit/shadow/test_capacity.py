"""How many trials fit."""

from decimal import Decimal
from typing import Any

import pytest

from aegis.shadow.capacity import most_trials, requests, rivals_needed, room
from aegis.shadow.statistics import fisher_one_sided

Json = dict[str, Any]


def pod(cpu: str, node: str = "", phase: str = "Running") -> Json:
    container = {"name": "a", "resources": {"requests": {"cpu": cpu}}}
    return {"kind": "Pod", "spec": {"containers": [container], "nodeName": node}, "status": {"phase": phase}}


def node(name: str, cpu: str = "4", **spec: Any) -> Json:
    return {"metadata": {"name": name}, "spec": spec, "status": {"allocatable": {"cpu": cpu, "memory": "8Gi"}}}


def test_requests_are_those_of_all_containers_or_of_the_greediest_that_starts_alone() -> None:
    spec = {
        "containers": [
            {"name": "a", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}},
            {"name": "b", "resources": {"limits": {"cpu": "200m"}}},
        ],
        "initContainers": [
            {"name": "i", "resources": {"requests": {"cpu": "2"}}},
            {"name": "sidecar", "restartPolicy": "Always", "resources": {"requests": {"memory": "64Mi"}}},
        ],
        "overhead": {"cpu": "50m"},
    }
    assert requests({"kind": "Pod", "spec": spec}) == {"cpu": Decimal("2.050"), "memory": Decimal(128 * 1024 * 1024)}
    assert requests({"kind": "Service"}) == {"cpu": 0, "memory": 0}
    assert requests({"kind": "Pod", "spec": {"containers": [{"resources": {"requests": {"cpu": "much"}}}]}})["cpu"] == 0


def test_room_is_what_running_pods_leave_on_nodes_that_take_pods() -> None:
    nodes = [
        node("a"),
        node("cordoned", unschedulable=True),
        node("tainted", taints=[{"effect": "NoSchedule"}]),
        node("preferred", taints=[{"effect": "PreferNoSchedule"}]),
    ]
    pods = [pod("1", "a"), pod("1500m", "a"), pod("1", "a", "Succeeded"), pod("1", "cordoned"), pod("1")]
    assert [free["cpu"] for free in room(nodes, pods)] == [Decimal("1.5"), Decimal(4)]


@pytest.mark.parametrize(
    ("cpus", "each", "expected"),
    [
        (["4", "4"], ["500m", "500m"], 5),
        (["2", "2"], ["500m", "500m"], 4),
        (["2"], ["500m", "500m"], 2),
        (["1"], ["500m", "600m"], 1),
        (["3", "3"], ["2", "1"], 2),
        ([], ["1"], 1),
    ],
)
def test_the_most_trials_that_fit(cpus: list[str], each: list[str], expected: int) -> None:
    free = room([node(str(number), cpu) for number, cpu in enumerate(cpus)], [])
    assert most_trials(free, [requests(pod(cpu)) for cpu in each], 5) == expected


@pytest.mark.parametrize(("candidates", "needed"), [(5, 5), (2, 5), (1, 19)])
def test_pods_that_take_no_room_make_up_for_few_candidates(candidates: int, needed: int) -> None:
    assert rivals_needed(candidates, 5) == needed
    assert fisher_one_sided(needed, needed, 0, candidates) <= 0.05
