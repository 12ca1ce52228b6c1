"""What an arm makes of pod events: crashes by what ended, never by what waits."""

from typing import Any

import pytest

from aegis.model.symptom import Manner, Signature
from aegis.shadow.arm import Arm, Crash

Json = dict[str, Any]

BOOM = Signature(manner=Manner.CRASH, reason="Error", exit_code=1, container="web", line="boom")
SICK = Signature(manner=Manner.NOT_READY, reason="Unhealthy", line="Readiness probe failed: HTTP probe failed")


def ended(run: int, code: int = 1) -> Json:
    return {"exitCode": code, "reason": "Error", "containerID": f"run-{run}"}


def pod(
    name: str = "web-1",
    *,
    restarts: int = 0,
    state: Json | None = None,
    last: Json | None = None,
    ready: bool = False,
    phase: str = "Running",
    leaving: bool = False,
    policy: str = "Always",
) -> Json:
    metadata: Json = {"uid": f"uid-{name}", "name": name, "namespace": "arm"}
    if leaving:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {
        "metadata": metadata,
        "spec": {"containers": [{"name": "web"}], "restartPolicy": policy},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [
                {
                    "name": "web",
                    "restartCount": restarts,
                    "state": state or {"running": {}},
                    "lastState": {"terminated": last} if last else {},
                }
            ],
        },
    }


def arm(trials: int = 1, production: Signature | None = BOOM, **more: Any) -> Arm:
    return Arm("c", trials=trials, is_subject=lambda _: True, production=production, **more)


def see(one: Arm, *pods: Json, now: float = 0.0) -> list[Crash]:
    return [crash for each in pods for crash in one.see_pod("MODIFIED", each, now)]


def test_one_crash_is_counted_once_through_all_that_is_seen_of_it() -> None:
    one = arm()
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    seen = see(
        one,
        pod(state={"running": {}}),
        pod(state={"terminated": ended(0)}),
        pod(state=waiting, last=ended(0)),
        pod(restarts=1, last=ended(0)),
        pod(restarts=1, last=ended(0)),
    )
    assert [crash.count for crash in seen] == [1]


def test_each_end_counts_and_a_missed_one_too() -> None:
    one = arm()
    seen = see(one, pod(state={"terminated": ended(0)}), pod(restarts=3, last=ended(2)), pod(restarts=4, last=ended(3)))
    assert [crash.count for crash in seen] == [1, 2, 1]


def test_a_crash_is_dated_when_it_was_seen_whenever_its_log_is_read() -> None:
    one = arm()
    first = see(one, pod(state={"terminated": ended(0)}), now=10.0)
    later = see(one, pod(restarts=3, last=ended(2)), now=40.0)
    for crash in (*later, *first):
        one.explain(crash, BOOM)
    assert one.tally(50.0).matched_at == (10.0, 40.0, 40.0)
    one.rebase()
    assert one.tally(50.0).matched_at == ()


def test_the_words_of_waiting_are_no_crash() -> None:
    assert not see(arm(), pod(state={"waiting": {"reason": "CrashLoopBackOff"}}))


def test_an_end_that_was_meant_is_no_crash() -> None:
    assert not see(arm(), pod(state={"terminated": ended(0, code=0)}, policy="OnFailure", phase="Succeeded"))


def test_a_pod_that_always_restarts_must_not_end_even_with_0() -> None:
    assert len(see(arm(), pod(state={"terminated": ended(0, code=0)}))) == 1


def test_what_ends_because_it_is_deleted_is_no_crash() -> None:
    assert not see(arm(), pod(leaving=True), pod(leaving=True, state={"terminated": ended(0, code=143)}))


def test_a_pod_that_failed_as_a_whole_is_one_crash() -> None:
    evicted = pod(phase="Failed", policy="Never")
    assert [crash.container for crash in see(arm(), evicted, evicted)] == [""]


def test_crashes_match_by_their_signature() -> None:
    one = arm()
    crash = Crash(pod=pod(), uid="uid-web-1", container="web", count=2)
    one.explain(crash, BOOM)
    one.explain(crash, Signature(manner=Manner.CRASH, reason="OOMKilled", exit_code=137, container="web"))
    one.explain(crash, None)
    tally = one.tally(0.0)
    assert (tally.crashes, tally.matching) == (6, 2)
    assert sum(one.signatures.values()) == 4


def test_after_the_fix_counting_starts_anew_even_for_what_is_still_being_read() -> None:
    one = arm()
    before = see(one, pod(state={"terminated": ended(0)}))
    one.rebase()
    for crash in before:
        one.explain(crash, BOOM)
    assert one.tally(0.0).crashes == 0
    after = see(one, pod(restarts=2, last=ended(1)))
    for crash in after:
        one.explain(crash, BOOM)
    assert one.tally(0.0).crashes == 1


def test_the_rollout_of_the_fix_takes_pods_away_that_were_there_before_it() -> None:
    one = arm()
    see(one, pod("before", ready=True))
    one.rebase()
    see(one, pod("after", ready=True))
    one.see_pod("DELETED", pod("before", ready=True), 1.0)
    assert one.tally(1.0).replaced == 0
    one.see_pod("DELETED", pod("after", ready=True), 2.0)
    assert one.tally(2.0).replaced == 1


def test_a_pod_that_goes_for_one_of_another_template_is_the_fix_s_own_rollout() -> None:
    one = arm()

    def of(name: str, template: str) -> Json:
        made = pod(name, ready=True)
        return {**made, "metadata": {**made["metadata"], "labels": {"pod-template-hash": template}}}

    one.rebase()
    see(one, of("old", "1"), of("new", "2"), of("newer", "2"))
    one.see_pod("DELETED", of("old", "1"), 1.0)
    assert one.tally(1.0).replaced == 0
    one.see_pod("DELETED", of("new", "2"), 2.0)
    assert one.tally(2.0).replaced == 1


def test_available_and_stable_need_the_rollout_and_every_pod() -> None:
    one = arm(trials=2)
    see(one, pod("a", ready=True), now=10.0)
    one.see_rollout(complete=True, now=20.0)
    assert one.tally(25.0).available_at is None
    see(one, pod("b", ready=True), now=30.0)
    assert (one.tally(75.0).available_at, one.tally(75.0).stable_for) == (30.0, 45.0)
    see(one, pod("b", ready=False), now=80.0)
    assert one.tally(90.0).stable_for == 0
    see(one, pod("b", ready=True), now=100.0)
    tally = one.tally(130.0)
    assert (tally.available_at, tally.stable_for, tally.transitions, tally.ready) == (30.0, 30.0, 2, 2)


def test_becoming_ready_for_the_first_time_is_no_transition() -> None:
    one = arm()
    see(one, pod(), pod(ready=True))
    assert one.tally(0.0).transitions == 0


def test_a_pod_that_the_cluster_takes_away_is_noticed() -> None:
    one = arm()
    see(one, pod(ready=True))
    one.see_pod("DELETED", pod(ready=True), 5.0)
    assert one.tally(5.0).replaced == 1


def event(name: str, message: str) -> Json:
    about = {"kind": "Pod", "name": name, "uid": f"uid-{name}"}
    return {"involvedObject": about, "reason": "Unhealthy", "message": message, "lastTimestamp": "2026-01-01T00:00:00Z"}


def test_a_symptom_counts_in_the_pods_that_show_it() -> None:
    one = arm(trials=2, production=SICK)
    see(one, pod("a"), pod("b", ready=True))
    one.see_event(event("a", "Readiness probe failed: HTTP probe failed"))
    assert one.tally(0.0).symptomatic == 1
    one.note_current()
    assert SICK in one.signatures


def endpoint_slice(*names: str, ready: bool = True) -> Json:
    endpoints = [{"conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": name}} for name in names]
    return {"metadata": {"name": "web-abc"}, "endpoints": endpoints}


def test_a_pod_that_its_service_does_not_reach_shows_the_symptom() -> None:
    one = arm(trials=2, production=Signature(manner=Manner.NO_ENDPOINTS))
    one.see_rollout(complete=True, now=0.0)
    see(one, pod("a", ready=True), pod("b", ready=True))
    assert one.tally(0.0).symptomatic == 2
    one.see_endpoints("ADDED", endpoint_slice("a"), 10.0)
    assert (one.tally(10.0).symptomatic, one.tally(10.0).available_at) == (1, None)
    one.see_endpoints("MODIFIED", endpoint_slice("a", "b"), 20.0)
    assert (one.tally(30.0).symptomatic, one.tally(30.0).stable_for) == (0, 10.0)
    one.see_endpoints("DELETED", endpoint_slice("a", "b"), 40.0)
    assert one.tally(40.0).symptomatic == 2


def test_pods_that_admission_keeps_out_show_the_symptom_by_not_being_there() -> None:
    one = arm(trials=3, production=Signature(manner=Manner.ADMISSION))
    assert one.tally(0.0).symptomatic == 3
    see(one, pod("a", ready=True))
    assert one.tally(0.0).symptomatic == 2


@pytest.mark.parametrize(("blamed", "expected"), [(True, 0), (False, 1)])
def test_what_is_the_clusters_fault_is_told_apart(blamed: bool, expected: int) -> None:
    one = arm(blames=lambda _: blamed)
    unschedulable = pod()
    unschedulable["status"] = {
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes"}]
    }
    see(one, unschedulable)
    assert len(one.tally(0.0).infrastructure) == expected


def test_pods_of_others_are_not_looked_at() -> None:
    one = Arm("c", trials=1, is_subject=lambda _: False)
    assert not see(one, pod(state={"terminated": ended(0)}))
    assert one.pods == ()
