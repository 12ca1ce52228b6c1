"""What objects cost a quota."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from aegis.localcluster.api import Object
from aegis.localcluster.quota import cost, counted, required_by, used


def quota(*names: str, **spec: Any) -> Object:
    return {"spec": {"hard": dict.fromkeys(names, "10"), **spec}}


def pod(*containers: dict[str, Any], **spec: Any) -> Object:
    return {"spec": {"containers": [{"name": "c", "resources": r} for r in containers], **spec}}


def test_a_pod_costs_its_requests_and_limits() -> None:
    everything = quota("pods", "cpu", "requests.cpu", "limits.cpu", "memory", "count/pods", "secrets")
    one = pod({"requests": {"cpu": "100m"}, "limits": {"cpu": "1", "memory": "1Mi"}}, {"requests": {"cpu": "200m"}})
    assert cost(everything, "pods", one) == {
        "pods": 1,
        "count/pods": 1,
        "cpu": Decimal("0.3"),
        "requests.cpu": Decimal("0.3"),
        "limits.cpu": 1,
        "memory": 1024**2,
    }


def test_an_init_container_counts_where_it_needs_more() -> None:
    init = [{"name": "i", "resources": {"requests": {"cpu": "2"}}}]
    one = pod({"requests": {"cpu": "1"}}, initContainers=init)
    assert cost(quota("requests.cpu"), "pods", one) == {"requests.cpu": 2}
    sidecar = [{"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "2"}}}]
    one = pod({"requests": {"cpu": "1"}}, initContainers=sidecar)
    assert cost(quota("requests.cpu"), "pods", one) == {"requests.cpu": 3}


def test_a_pod_that_ended_is_only_counted() -> None:
    ended = {**pod({"requests": {"cpu": "1"}}), "status": {"phase": "Failed"}}
    assert cost(quota("pods", "requests.cpu", "count/pods"), "pods", ended) == {"count/pods": 1}


@pytest.mark.parametrize(
    ("scope", "best_effort", "limited"),
    [("BestEffort", True, False), ("NotBestEffort", False, True), ("Terminating", False, True)],
)
def test_scopes_choose_pods(scope: str, best_effort: bool, limited: bool) -> None:
    scoped = quota("pods", scopes=[scope])
    idle = pod({})
    busy = pod({"limits": {"cpu": "1"}}, activeDeadlineSeconds=5)
    assert bool(cost(scoped, "pods", idle)) is best_effort
    assert bool(cost(scoped, "pods", busy)) is limited
    assert cost(scoped, "configmaps", {"spec": {}}) == {}


def test_services_and_claims() -> None:
    balanced = {"spec": {"type": "LoadBalancer", "ports": [{"port": 1, "nodePort": 30000}, {"port": 2}]}}
    names = ("services", "services.loadbalancers", "services.nodeports", "count/services")
    assert cost(quota(*names), "services", balanced) == dict.fromkeys(names, 1)
    claim = {"spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}}
    name = "fast.storageclass.storage.k8s.io/requests.storage"
    assert cost(quota("requests.storage", name), "persistentvolumeclaims", claim) == {
        "requests.storage": 1024**3,
        name: 1024**3,
    }


def test_what_a_quota_demands_of_every_container() -> None:
    strict = quota("limits.memory", "requests.cpu", "cpu", "pods")
    assert required_by(strict, "pods", pod({"limits": {"memory": "1Mi"}})) == ["cpu", "requests.cpu"]
    assert required_by(strict, "pods", pod({"limits": {"memory": "1Mi", "cpu": "1"}})) == []


def test_sums_are_written_like_their_limits() -> None:
    hard = {"requests.memory": "1Gi", "count/deployments.apps": "3", "pods": "4"}
    objects = [("pods", pod({"requests": {"memory": "64Mi"}})), ("deployments.apps", {"spec": {}})]
    found = used({"spec": {"hard": hard}}, objects)
    assert found == {"requests.memory": "64Mi", "count/deployments.apps": "1", "pods": "1"}
    assert counted({"spec": {"hard": hard}}) == {"pods", "deployments.apps"}
