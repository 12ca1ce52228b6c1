"""Facts of the kinds that a trial runs."""

from typing import Any

import pytest

from aegis.shadow.workloads import (
    is_rolled_out,
    min_ready_seconds,
    owned_by,
    probe_horizon,
    replicas,
    selects,
    startup_budget,
)

Json = dict[str, Any]


def rolled(**status: Any) -> Json:
    return {"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status}


@pytest.mark.parametrize(
    ("workload", "trials", "expected"),
    [
        (rolled(observedGeneration=2, updatedReplicas=3, availableReplicas=3), 5, True),
        (rolled(observedGeneration=1, updatedReplicas=3, availableReplicas=3), 5, False),
        (rolled(observedGeneration=2, updatedReplicas=2, availableReplicas=3), 5, False),
        (rolled(observedGeneration=2, updatedReplicas=3, availableReplicas=2), 5, False),
        (rolled(observedGeneration=2, updatedReplicas=2, availableReplicas=2), 2, True),
        ({**rolled(observedGeneration=2), "spec": {"replicas": 0}}, 5, False),
        ({"kind": "Job", "status": {"succeeded": 1}}, 1, True),
        ({"kind": "Job", "status": {"active": 1}}, 1, False),
        ({"kind": "Pod"}, 1, True),
    ],
)
def test_rolled_out(workload: Json, trials: int, expected: bool) -> None:
    assert is_rolled_out(workload, trials) is expected


def pod(name: str, kind: str = "", owner: str = "") -> Json:
    owners = [{"kind": kind, "name": owner}] if kind else []
    return {"metadata": {"name": name, "ownerReferences": owners}}


@pytest.mark.parametrize(
    ("one", "kind", "name", "expected"),
    [
        (pod("web-5d9c-x", "ReplicaSet", "web-5d9c"), "Deployment", "web", True),
        (pod("web-front-5d9c-x", "ReplicaSet", "web-front-5d9c"), "Deployment", "web", False),
        (pod("db-0", "StatefulSet", "db"), "StatefulSet", "db", True),
        (pod("backup-28-x", "Job", "backup-28"), "CronJob", "backup", True),
        (pod("backup-28-x", "Job", "backup-28"), "Job", "backup-28", True),
        (pod("bare"), "Pod", "bare", True),
        (pod("bare"), "Deployment", "bare", False),
    ],
)
def test_whose_pod(one: Json, kind: str, name: str, expected: bool) -> None:
    assert owned_by(one, kind, name) is expected


def test_an_empty_selector_takes_nothing() -> None:
    assert not selects({}, {"app": "web"})
    assert not selects(None, {"app": "web"})
    assert selects({"app": "web"}, {"app": "web", "tier": "x"})
    assert not selects({"app": "web", "tier": "y"}, {"app": "web", "tier": "x"})


def test_replicas_are_one_unless_said() -> None:
    assert (replicas({}), replicas({"spec": {"replicas": 0}}), replicas({"spec": {"replicas": 4}})) == (1, 0, 4)


def test_what_probes_take() -> None:
    slow = {"name": "a", "livenessProbe": {"periodSeconds": 30, "failureThreshold": 4}, "readinessProbe": {}}
    starting = {"name": "b", "startupProbe": {"initialDelaySeconds": 5, "periodSeconds": 20, "failureThreshold": 30}}
    workload = {
        "kind": "Deployment",
        "spec": {"minReadySeconds": 15, "template": {"spec": {"containers": [slow, starting]}}},
    }
    assert probe_horizon(workload) == 120
    assert startup_budget(workload) == 605
    assert min_ready_seconds(workload) == 15
    bare = {"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}}
    assert (probe_horizon(bare), startup_budget(bare), min_ready_seconds(bare)) == (0, 0, 0)
