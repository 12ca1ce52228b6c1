"""What a Job needs next, without a cluster."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.jobdecision import (
    EXHAUSTED,
    INDEX,
    OVERDUE,
    REACHED,
    Tally,
    decide,
    pod_of,
    ranges,
    status_of,
)

NOW = "2026-01-01T00:00:00Z"


def job(**spec: Any) -> Object:
    template = {"spec": {"restartPolicy": spec.pop("restart", "Never"), "containers": [{"name": "c"}]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": "default", "uid": "u"},
        "spec": {"parallelism": 1, "completions": 1, "backoffLimit": 6, "template": template, **spec},
    }


def some_pod(uid: str, phase: str = "Running", *, index: int | None = None, restarts: int = 0) -> Object:
    marks = {} if index is None else {INDEX: str(index)}
    metadata = {"name": uid, "namespace": "default", "uid": uid, "annotations": marks, "creationTimestamp": NOW}
    return {
        "metadata": metadata,
        "spec": {},
        "status": {"phase": phase, "containerStatuses": [{"restartCount": restarts}]},
    }


def counted(*pods: Object) -> Tally:
    tally = Tally(clock=lambda: 0.0)
    for pod in pods:
        tally.take(pod)
    return tally


def test_no_more_pods_run_than_are_left_to_complete() -> None:
    wide = job(parallelism=3, completions=4)
    assert len(decide(wide, [], counted(), active_for=0).wanted) == 3
    done = [some_pod("a", "Succeeded"), some_pod("b", "Succeeded")]
    assert len(decide(wide, [*done, some_pod("c")], counted(*done), active_for=0).wanted) == 1
    plan = decide(job(parallelism=1, completions=4), [some_pod("a"), some_pod("b")], counted(), active_for=0)
    assert (len(plan.doomed), plan.wanted) == (1, ())


def test_a_queue_ends_when_one_succeeded_and_none_runs() -> None:
    queue, done = job(parallelism=2, completions=None), some_pod("a", "Succeeded")
    assert len(decide(queue, [], counted(), active_for=0).wanted) == 2
    running = decide(queue, [done, some_pod("b")], counted(done), active_for=0)
    assert (running.wanted, running.verdict) == ([], None)
    assert decide(queue, [done], counted(done), active_for=0).verdict is REACHED


def test_the_limits_end_a_job() -> None:
    failures = [some_pod("a", "Failed"), some_pod("b", "Failed")]
    assert decide(job(backoffLimit=2), failures, counted(*failures), active_for=0).verdict is None
    assert decide(job(backoffLimit=1), failures, counted(*failures), active_for=0).verdict is EXHAUSTED
    restless = [some_pod("a", restarts=2)]
    assert decide(job(backoffLimit=2, restart="OnFailure"), restless, counted(), active_for=0).verdict is EXHAUSTED
    assert decide(job(backoffLimit=3, restart="OnFailure"), restless, counted(), active_for=0).verdict is None
    late = decide(job(activeDeadlineSeconds=5), [some_pod("a")], counted(), active_for=5)
    assert (late.verdict, len(late.doomed)) == (OVERDUE, 1)


def test_the_back_off_doubles_and_a_success_ends_it() -> None:
    tally, clock = Tally(clock=lambda: now[0]), []
    now = [0.0]
    for name in "abc":
        tally.take(some_pod(name, "Failed"))
        tally.take(some_pod(name, "Failed"))  # seen twice, counted once
        clock.append(tally.backoff_left(1))
    assert clock == [10, 20, 40]
    now[0] = 2.0
    assert tally.backoff_left(10) == 20
    tally.take(some_pod("d", "Succeeded"))
    assert tally.backoff_left(1) == 0


def test_what_the_controller_deleted_did_not_fail() -> None:
    tally = counted()
    tally.dismissed.add("a")
    tally.take(some_pod("a", "Failed"))
    assert not tally.failed
    going = some_pod("b")
    going["metadata"]["deletionTimestamp"] = NOW
    tally.take(going)
    assert tally.failed == {"b"}


def test_indexes_are_filled_and_named() -> None:
    indexed = job(parallelism=5, completions=3, completionMode="Indexed")
    done = some_pod("a", "Succeeded", index=1)
    assert decide(indexed, [done, some_pod("b", index=0)], counted(done), active_for=0).wanted == [2]
    made = pod_of(indexed, 2)
    assert (made["metadata"]["generateName"], made["spec"]["hostname"]) == ("j-2-", "j-2")
    assert made["spec"]["containers"][0]["env"][0]["name"] == "JOB_COMPLETION_INDEX"
    assert status_of(indexed, [done], counted(done), None, now=NOW)["completedIndexes"] == "1"


def test_a_job_ends_only_when_its_last_pod_has() -> None:
    going = some_pod("a")
    going["metadata"]["deletionTimestamp"] = NOW
    kinds = [c["type"] for c in status_of(job(), [going], counted(), EXHAUSTED, now=NOW)["conditions"]]
    assert kinds == ["FailureTarget"]
    kinds = [c["type"] for c in status_of(job(), [], counted(), EXHAUSTED, now=NOW)["conditions"]]
    assert kinds == ["FailureTarget", "Failed"]


@given(st.sets(st.integers(0, 60)))
def test_ranges_name_every_number_once(numbers: set[int]) -> None:
    found: list[int] = []
    for part in filter(None, ranges(numbers).split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    assert found == sorted(numbers)
