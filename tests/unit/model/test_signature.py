from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.model.signature import deciding_line, signature_of
from aegis.model.symptom import Manner, mask


def pod(*statuses: dict[str, Any], ready: str = "False", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": "web-abc12", "namespace": "shop", "uid": "u1"},
        "spec": {"restartPolicy": "Always", **spec},
        "status": {"containerStatuses": list(statuses), "conditions": [{"type": "Ready", "status": ready}]},
    }


def crashed(code: int = 1, reason: str = "Error", **more: Any) -> dict[str, Any]:
    return {
        "name": "web",
        "restartCount": 2,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": code, "reason": reason, **more}},
    }


def event(reason: str, message: str, at: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    return {"involvedObject": {"kind": "Pod", "uid": "u1"}, "reason": reason, "message": message, "lastTimestamp": at}


def test_a_crash_is_known_by_container_code_reason_and_deciding_line() -> None:
    logs = {("web", True): ["starting at 10:00:01", "KeyError: 'MODE'", ""]}
    found = signature_of(pod(crashed()), logs=logs)
    assert found is not None
    assert (found.manner, found.exit_code, found.reason) == (Manner.CRASH, 1, "Error")
    assert found.line == "KeyError: 'MODE'"


def test_a_crash_in_a_shadow_matches_although_names_times_and_addresses_differ() -> None:
    here = signature_of(
        pod(crashed()),
        logs={("web", True): ["2026-01-01T10:00:00Z error: db.shop.svc at 10.0.0.1:5432 refused 3 times"]},
    )
    shadow = pod(crashed())
    shadow["metadata"] = {"name": "web-zzz99", "namespace": "aegis-shadow-ab12-r", "uid": "u1"}
    there = signature_of(
        shadow,
        logs={
            ("web", True): ["2027-05-05T11:11:11Z error: db.aegis-shadow-ab12-r.svc at 10.9.9.9:5432 refused 7 times"]
        },
    )
    assert here is not None
    assert there is not None
    assert here.matches(there)


@pytest.mark.parametrize(
    "other", [crashed(code=2), crashed(code=137, reason="OOMKilled"), {**crashed(), "name": "sidecar"}]
)
def test_another_failure_does_not_match(other: dict[str, Any]) -> None:
    one, two = signature_of(pod(crashed())), signature_of(pod(other))
    assert one is not None
    assert two is not None
    assert not one.matches(two)


def test_pull_reasons_that_alternate_are_one_failure() -> None:
    def waiting(reason: str) -> dict[str, Any]:
        return {"name": "web", "image": "web:9", "state": {"waiting": {"reason": reason}}}

    one, two = signature_of(pod(waiting("ErrImagePull"))), signature_of(pod(waiting("ImagePullBackOff")))
    assert one is not None
    assert two is not None
    assert one.matches(two)


def test_a_liveness_kill_is_told_by_the_probe_not_by_the_last_log_line() -> None:
    events = [event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")]
    found = signature_of(pod(crashed(code=137)), events=events, logs={("web", True): ["GET /healthz"]})
    assert found is not None
    assert found.line == "Liveness probe failed: HTTP probe failed with statuscode: <n>"


def test_an_answer_to_a_liveness_probe_says_more_than_a_refusal_while_it_starts() -> None:
    refused = event(
        "Unhealthy",
        'Liveness probe failed: Get "http://10.0.0.9:80/": connect: connection refused',
        "2026-01-01T00:02:00Z",
    )
    answered = event(
        "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", "2026-01-01T00:01:00Z"
    )
    found = signature_of(pod(crashed(code=137)), events=[answered, refused])
    assert found is not None
    assert "statuscode" in found.line


def test_the_newest_probe_message_decides() -> None:
    running = {"name": "web", "state": {"running": {}}}
    events = [
        event("Unhealthy", "Readiness probe failed: connection refused", "2026-01-01T00:00:00Z"),
        event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", "2026-01-01T00:01:00Z"),
    ]
    found = signature_of(pod(running), events=events)
    assert found is not None
    assert found.manner is Manner.NOT_READY
    assert found.line.endswith("<n>")


def test_an_init_container_that_ended_well_is_no_crash() -> None:
    done = {"name": "init", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    assert signature_of(pod(done, ready="True", initContainers=[{"name": "init"}])) is None


def test_a_main_container_that_ended_with_zero_is_a_crash_where_it_is_restarted_for_ever() -> None:
    done = {"name": "web", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    found = signature_of(pod(done))
    assert found is not None
    assert found.reason == "Completed"
    assert signature_of(pod(done, restartPolicy="Never")) is None


def test_an_unschedulable_pod() -> None:
    pending = pod()
    pending["status"]["conditions"] = [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/2 nodes: 2 Insufficient cpu",
        }
    ]
    found = signature_of(pending)
    assert found is not None
    assert found.manner is Manner.SCHEDULING


def test_a_pod_that_is_merely_starting_shows_nothing() -> None:
    assert signature_of(pod({"name": "web", "state": {"running": {}}})) is None


def test_an_event_about_another_pod_is_not_read() -> None:
    other = {**event("Unhealthy", "Readiness probe failed: x"), "involvedObject": {"kind": "Pod", "uid": "u2"}}
    assert signature_of(pod({"name": "web", "state": {"running": {}}}), events=[other]) is None


def test_an_ordinary_word_that_equals_the_namespace_is_kept() -> None:
    assert mask("the shop is closed", namespace="shop") == "the shop is closed"


@given(st.text(max_size=200))
def test_masking_twice_changes_nothing_more(line: str) -> None:
    once = mask(line)
    assert mask(once) == once


def test_the_deciding_line_is_the_last_telling_one() -> None:
    assert deciding_line(["Error: no MODE", "bye"]) == "Error: no MODE"
    assert deciding_line(["hello", "bye", " "]) == "bye"
    assert deciding_line([]) == ""
