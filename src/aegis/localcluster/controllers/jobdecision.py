"""What a Job needs next: pods to make or delete, or its end. Pure, but for the clock of its tally."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.objects import (
    annotations_of,
    condition,
    is_active,
    is_ready,
    is_terminating,
    is_true,
    uid_of,
)
from aegis.localcluster.controllers.podfailure import ruling
from aegis.localcluster.controllers.replicaset import first_to_go, pod_for

INDEX = "batch.kubernetes.io/job-completion-index"
_FIRST_BACKOFF, _LONGEST_BACKOFF = 10.0, 600.0
_BURST = 500
_INDEX_VARIABLE = {
    "name": "JOB_COMPLETION_INDEX",
    "valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX}']"}},
}


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of a Job's pods so far, also of those that are gone since.

    Attributes:
        dismissed: pods that the controller itself deleted: they neither succeeded nor failed.
        streak: failures since the last success.
        policy: the Job's podFailurePolicy, if it has one.
        fatal: why a pod's failure ends the Job at once; empty while none does.
    """

    clock: Callable[[], float] = time.monotonic
    succeeded: dict[str, int | None] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    dismissed: set[str] = field(default_factory=set)
    streak: int = 0
    failed_at: float = 0.0
    policy: Any = None
    fatal: str = ""

    def take(self, pod: Object, *, gone: bool = False) -> None:
        """Count a pod that ended, or that somebody deletes or has deleted; each pod counts once."""
        uid, phase = uid_of(pod), (pod.get("status") or {}).get("phase")
        if uid in self.succeeded or uid in self.failed or uid in self.dismissed:
            return
        if phase == "Succeeded":
            self.succeeded[uid] = index_of(pod)
            self.streak = 0
        elif phase == "Failed" or gone or (is_terminating(pod) and self.policy is None):
            self._take_failed(pod)

    def _take_failed(self, pod: Object) -> None:
        rule = ruling(self.policy, pod)
        if rule is not None and rule.action == "Ignore":
            self.dismissed.add(uid_of(pod))
            return
        if rule is not None and rule.action == "FailJob":
            self.fatal = self.fatal or rule.message
        self.failed.add(uid_of(pod))
        self.streak += 1
        self.failed_at = self.clock()

    def successes(self, *, indexed: bool) -> int:
        """How many pods, or how many different indexes, have succeeded."""
        return len(self.indexes()) if indexed else len(self.succeeded)

    def indexes(self) -> set[int]:
        """The indexes that have succeeded."""
        return {i for i in self.succeeded.values() if i is not None}

    def backoff_left(self, scale: float) -> float:
        """Nominal seconds until the next pod may be made after a failure."""
        if self.streak == 0:
            return 0.0
        whole = min(_FIRST_BACKOFF * 2.0 ** min(self.streak - 1, 10), _LONGEST_BACKOFF)
        return max(0.0, whole - (self.clock() - self.failed_at) * scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a Job ends.

    Attributes:
        target: the condition that announces it, while its pods still end.
        kind: the condition that it ends with.
    """

    target: str
    kind: str
    reason: str
    message: str


REACHED = Verdict(
    target="SuccessCriteriaMet",
    kind="Complete",
    reason="CompletionsReached",
    message="Reached expected number of succeeded pods",
)
EXHAUSTED = Verdict(
    target="FailureTarget",
    kind="Failed",
    reason="BackoffLimitExceeded",
    message="Job has reached the specified backoff limit",
)
OVERDUE = Verdict(
    target="FailureTarget",
    kind="Failed",
    reason="DeadlineExceeded",
    message="Job was active longer than specified deadline",
)


def forbidden(why: str) -> Verdict:
    """The end of a Job whose podFailurePolicy does not stand for a pod's failure."""
    return Verdict(target="FailureTarget", kind="Failed", reason="PodFailurePolicy", message=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The next step of a Job.

    Attributes:
        wanted: pods to make: an index each, or None where the Job has no indexes.
        doomed: pods to delete.
        verdict: how the Job ends, if it does.
    """

    wanted: Sequence[int | None] = ()
    doomed: Sequence[Object] = ()
    verdict: Verdict | None = None


def decide(job: Object, pods: Iterable[Object], tally: Tally, *, active_for: float) -> Plan:
    """What to do now.

    Args:
        job: the Job, which has not ended.
        pods: its pods that exist.
        tally: what became of all its pods.
        active_for: nominal seconds since it started.
    """
    present = list(pods)
    active = [p for p in present if is_active(p)]
    ending = [p for p in present if _is_ending(p)] if tally.policy is not None else []
    if (verdict := _verdict(job, active, tally, active_for)) is not None:
        return Plan(doomed=active, verdict=verdict)
    if is_suspended(job):
        return Plan(doomed=active)
    missing = _parallel(job, len(active), tally) - len(active) - len(ending)
    if missing < 0:
        return Plan(doomed=first_to_go(active)[: max(0, -missing - len(ending))])
    return Plan(wanted=_slots(job, [*active, *ending], tally)[: min(missing, _BURST)])


def is_suspended(job: Object) -> bool:
    """Whether a Job is told to run nothing."""
    return bool(job["spec"].get("suspend"))


def is_indexed(job: Object) -> bool:
    """Whether each completion of a Job has a number of its own."""
    return bool(job["spec"].get("completionMode") == "Indexed")


def is_finished(job: Object) -> bool:
    """Whether a Job has ended, well or not."""
    return is_true(job, "Complete") or is_true(job, "Failed")


def index_of(pod: Object) -> int | None:
    """The completion index of a pod, if it has one."""
    text = annotations_of(pod).get(INDEX, "")
    return int(text) if text.isdecimal() else None


def pod_of(job: Object, index: int | None) -> Object:
    """The pod that a Job makes for a completion."""
    pod = pod_for(job)
    if index is None:
        return pod
    name, metadata = job["metadata"]["name"], pod["metadata"]
    mark = {INDEX: str(index)}
    numbered = {
        **metadata,
        "generateName": f"{name}-{index}-",
        "annotations": {**metadata.get("annotations", {}), **mark},
        "labels": {**metadata.get("labels", {}), **mark},
    }
    spec = {**pod["spec"], "hostname": f"{name}-{index}"}
    for group in ("initContainers", "containers"):
        if spec.get(group):
            spec[group] = [{**c, "env": [*(c.get("env") or ()), _INDEX_VARIABLE]} for c in spec[group]]
    return {**pod, "metadata": numbered, "spec": spec}


def status_of(job: Object, pods: Iterable[Object], tally: Tally, verdict: Verdict | None, *, now: str) -> Object:
    """The status of a Job after a step."""
    present = list(pods)
    active = [p for p in present if is_active(p)]
    ending = [p for p in present if _is_ending(p)]
    old: Object = job.get("status") or {}
    counts = {
        "active": len(active),
        "succeeded": tally.successes(indexed=is_indexed(job)),
        "failed": len(tally.failed),
    }
    ended = verdict is not None and not active and not ending
    status: Object = {
        **{k: v for k, v in counts.items() if v},
        "ready": sum(1 for p in active if is_ready(p)),
        "terminating": len(ending),
        "uncountedTerminatedPods": {},
    }
    if not is_suspended(job):
        status["startTime"] = old.get("startTime") or now
    if tally.indexes():
        status["completedIndexes"] = ranges(tally.indexes())
    if ended and verdict is REACHED:
        status["completionTime"] = now
    if conditions := _conditions(job, verdict, ended=ended, now=now):
        status["conditions"] = conditions
    return status


def ranges(indexes: Iterable[int]) -> str:
    """Numbers as `0,2-4`."""
    spans: list[list[int]] = []
    for index in sorted(indexes):
        if spans and index == spans[-1][1] + 1:
            spans[-1][1] = index
        else:
            spans.append([index, index])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def _verdict(job: Object, active: Sequence[Object], tally: Tally, active_for: float) -> Verdict | None:
    for announced in (REACHED, EXHAUSTED, OVERDUE):
        current = condition(job, announced.target)
        if current is not None and current.get("reason") == announced.reason:
            return announced  # what was announced stays
    told = condition(job, "FailureTarget")
    if told is not None and told.get("reason") == forbidden("").reason:
        return forbidden(str(told.get("message")))
    if tally.fatal:
        return forbidden(tally.fatal)
    limit, deadline = job["spec"].get("backoffLimit", 6), job["spec"].get("activeDeadlineSeconds")
    if len(tally.failed) > limit or _restarted_too_often(job, active, limit):
        return EXHAUSTED
    if deadline is not None and not is_suspended(job) and active_for >= deadline:
        return OVERDUE
    return REACHED if _is_done(job, len(active), tally) else None


def _is_done(job: Object, active: int, tally: Tally) -> bool:
    completions = job["spec"].get("completions")
    succeeded = tally.successes(indexed=is_indexed(job))
    if completions is None:  # a queue of work: one that succeeds says that the queue is empty
        return succeeded > 0 and active == 0
    return bool(succeeded >= completions)


def _restarted_too_often(job: Object, active: Iterable[Object], limit: int) -> bool:
    if job["spec"]["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(
        status.get("restartCount", 0)
        for pod in active
        for group in ("initContainerStatuses", "containerStatuses")
        for status in (pod.get("status") or {}).get(group) or ()
    )
    return bool(restarts >= max(limit, 1))


def _parallel(job: Object, active: int, tally: Tally) -> int:
    """How many pods should run now."""
    parallelism: int = job["spec"].get("parallelism", 1)
    completions = job["spec"].get("completions")
    if completions is None:
        return min(active, parallelism) if tally.succeeded else parallelism
    left: int = completions - tally.successes(indexed=is_indexed(job))
    return min(left, parallelism)


def _slots(job: Object, active: Iterable[Object], tally: Tally) -> Sequence[int | None]:
    if not is_indexed(job):
        return [None] * _BURST
    taken = tally.indexes() | {i for p in active if (i := index_of(p)) is not None}
    return [i for i in range(job["spec"].get("completions", 0)) if i not in taken]


def _conditions(job: Object, verdict: Verdict | None, *, ended: bool, now: str) -> list[dict[str, Any]]:
    conditions = [dict(c) for c in (job.get("status") or {}).get("conditions") or ()]
    if verdict is not None:
        for kind in (verdict.target, verdict.kind) if ended else (verdict.target,):
            if not any(c["type"] == kind for c in conditions):
                conditions.append(_condition(kind, (verdict.reason, verdict.message), now))
        return conditions
    current = condition(job, "Suspended")
    if is_suspended(job) == (current is not None and current["status"] == "True"):
        return conditions
    others = [c for c in conditions if c["type"] != "Suspended"]
    if is_suspended(job):
        return [*others, _condition("Suspended", ("JobSuspended", "Job suspended"), now)]
    return [*others, {**_condition("Suspended", ("JobResumed", "Job resumed"), now), "status": "False"}]


def _condition(kind: str, why: tuple[str, str], now: str) -> dict[str, Any]:
    times = {"lastProbeTime": now, "lastTransitionTime": now}
    return {"type": kind, "status": "True", **times, "reason": why[0], "message": why[1]}


def _is_ending(pod: Object) -> bool:
    return is_terminating(pod) and _phase(pod) not in {"Succeeded", "Failed"}


def _phase(pod: Object) -> str:
    return (pod.get("status") or {}).get("phase") or ""
