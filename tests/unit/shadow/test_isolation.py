"""What proves that an arm is cut off, and what does not."""

from typing import Any

import pytest

from aegis.model.refs import ObjectRef
from aegis.model.verdict import Outcome
from aegis.shadow.isolation import Reached, judge, production_addresses

Json = dict[str, Any]


def reached(arm: str = "r", *leaks: str, control: bool = True) -> Reached:
    return Reached(arm=arm, control=control, leaks=leaks, tried=4)


@pytest.mark.parametrize(
    ("found", "outcome", "word"),
    [
        ([reached("r"), reached("c")], Outcome.PASSED, ""),
        ([reached("r"), reached("c", "1.1.1.1:443")], Outcome.ERRORED, "1.1.1.1:443"),
        ([reached("r"), reached("c", control=False)], Outcome.ERRORED, "nothing is proved"),
        ([], Outcome.ERRORED, ""),
    ],
)
def test_every_arm_must_reach_its_own_and_nothing_else(found: list[Reached], outcome: Outcome, word: str) -> None:
    gate = judge(found)
    assert gate.outcome is outcome
    assert gate.required
    assert gate.inconclusive is (outcome is Outcome.ERRORED)
    assert word in gate.reason


def service(name: str, **spec: Any) -> tuple[ObjectRef, Json]:
    return ObjectRef(api_version="v1", kind="Service", name=name, namespace="shop"), {"spec": spec}


def test_production_is_tried_by_its_services_and_its_pods() -> None:
    known = dict([
        service("web", clusterIP="10.96.0.7", ports=[{"port": 80}, {"port": 81}]),
        service("headless", clusterIP="None", ports=[{"port": 80}]),
        service("dns", clusterIP="10.96.0.8", ports=[{"port": 53, "protocol": "UDP"}]),
        service("outside", ports=[{"port": 80}]),
    ])
    pod = {
        "kind": "Pod",
        "status": {"podIP": "10.0.0.5"},
        "spec": {"containers": [{"name": "a", "ports": [{"containerPort": 8000}]}]},
    }
    waiting = {"kind": "Pod", "status": {}, "spec": {"containers": [{"name": "a", "ports": [{"containerPort": 1}]}]}}
    assert production_addresses(known, [pod, waiting]) == ["10.96.0.7:80", "10.0.0.5:8000"]
