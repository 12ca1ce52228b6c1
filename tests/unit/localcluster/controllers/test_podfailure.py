"""Which rule a failed pod meets."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.localcluster.controllers.jobdecision import Tally, decide
from aegis.localcluster.controllers.podfailure import ruling


def pod(
    code: int = 3, *, name: str = "main", init: int | None = None, uid: str = "u", **conditions: str
) -> dict[str, Any]:
    def ended(container: str, exit_code: int) -> dict[str, Any]:
        return {"name": container, "state": {"terminated": {"exitCode": exit_code}}}

    return {
        "metadata": {"name": "p", "namespace": "d", "uid": uid, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {},
        "status": {
            "phase": "Failed",
            "containerStatuses": [ended(name, code), {"name": "side", "state": {"running": {}}}],
            "initContainerStatuses": [] if init is None else [ended("init", init)],
            "conditions": [{"type": kind, "status": status} for kind, status in conditions.items()],
        },
    }


def codes(action: str, operator: str, *values: int, **more: str) -> dict[str, Any]:
    return {"action": action, "onExitCodes": {"operator": operator, "values": list(values), **more}}


def condition(action: str, kind: str, status: str = "True") -> dict[str, Any]:
    return {"action": action, "onPodConditions": [{"type": kind, "status": status}]}


@pytest.mark.parametrize(
    ("rules", "failed", "expected"),
    [
        ([], pod(), None),
        ([codes("FailJob", "In", 3)], pod(), "FailJob"),
        ([codes("FailJob", "In", 4)], pod(), None),
        ([codes("Ignore", "NotIn", 4)], pod(), "Ignore"),
        ([codes("Ignore", "NotIn", 3)], pod(), None),
        ([codes("FailJob", "In", 3, containerName="side")], pod(), None),
        ([codes("FailJob", "In", 7)], pod(0, init=7), "FailJob"),
        ([codes("FailJob", "NotIn", 7)], pod(0), None),  # what ended well did not fail
        ([condition("Ignore", "DisruptionTarget")], pod(DisruptionTarget="True"), "Ignore"),
        ([condition("Ignore", "DisruptionTarget")], pod(DisruptionTarget="False"), None),
        ([codes("Count", "In", 3), codes("FailJob", "In", 3)], pod(), "Count"),
    ],
)
def test_the_first_rule_that_matches(rules: list[Any], failed: dict[str, Any], expected: str | None) -> None:
    found = ruling({"rules": rules}, failed)
    assert (found.action if found else None) == expected
    assert ruling(None, failed) is None


def tally(*rules: Any) -> Tally:
    return Tally(clock=lambda: 0.0, policy={"rules": list(rules)})


def job() -> dict[str, Any]:
    spec = {"parallelism": 1, "completions": 1, "backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never"}}}
    return {"metadata": {"name": "j", "uid": "j"}, "spec": spec}


def test_what_is_ignored_is_replaced() -> None:
    counted, failed = tally(condition("Ignore", "DisruptionTarget")), pod(DisruptionTarget="True")
    counted.take(failed)
    assert not counted.failed
    assert len(decide(job(), [failed], counted, active_for=0).wanted) == 1


def test_a_fatal_failure_ends_the_job_and_stays_its_reason() -> None:
    counted = tally(codes("FailJob", "In", 3))
    counted.take(pod())
    verdict = decide(job(), [], counted, active_for=0).verdict
    assert verdict is not None
    assert (verdict.reason, verdict.kind) == ("PodFailurePolicy", "Failed")
    told = {"type": "FailureTarget", "status": "True", "reason": verdict.reason, "message": verdict.message}
    again = decide({**job(), "status": {"conditions": [told]}}, [], tally(), active_for=0).verdict
    assert again == verdict


def test_a_pod_on_its_way_out_is_neither_failed_nor_replaced_yet() -> None:
    going = pod()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    going["status"]["phase"] = "Running"
    counted = tally(codes("Ignore", "In", 3))
    counted.take(going)
    assert not counted.failed
    assert not decide(job(), [going], counted, active_for=0).wanted
