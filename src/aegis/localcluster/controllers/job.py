"""The Job controller: pods that run to their end, as many as asked for."""

from __future__ import annotations

from collections.abc import Iterable

from aegis.kube.selector import label_selector
from aegis.localcluster.api import ClusterApi, Object, Pace, WatchEvent
from aegis.localcluster.controllers.ages import Ages
from aegis.localcluster.controllers.jobdecision import (
    Plan,
    Tally,
    decide,
    is_finished,
    is_suspended,
    pod_of,
    status_of,
)
from aegis.localcluster.controllers.objects import (
    Key,
    condition,
    controller_of,
    is_terminating,
    is_true,
    key_of,
    labels_of,
    timestamp,
    uid_of,
)
from aegis.localcluster.controllers.ownership import claim
from aegis.localcluster.controllers.podcontrol import PodControl
from aegis.localcluster.controllers.recorder import Recorder

_JOBS, _MANAGER = "jobs.batch", "kube-controller-manager"


class JobController:
    """Brings Jobs to their end.

    Back-offs, deadlines and the time to live of a finished Job follow the time scale.
    """

    name = "job-controller"
    watches = (_JOBS, "pods")

    def __init__(self, api: ClusterApi, pace: Pace) -> None:
        self._api, self._pace = api, pace
        self._recorder = Recorder(api, self.name)
        self._control = PodControl(api, self._recorder)
        self._ages = Ages()
        self._tallies: dict[str, Tally] = {}

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The Job itself, or the owner of a pod, whose end counts also where the pod is gone at once."""
        if event.resource == _JOBS:
            if event.type == "DELETED":
                self._tallies.pop(uid_of(event.object), None)
            return [key_of(event.object)]
        owner = controller_of(event.object)
        if owner is None or owner["kind"] != "Job":
            return []
        if (tally := self._tallies.get(owner["uid"])) is not None:
            tally.take(event.object, gone=event.type == "DELETED")
        return [(event.object["metadata"]["namespace"], owner["name"])]

    def sync(self, key: Key) -> float | None:
        """Make or delete pods, then write the status.

        Raises:
            ApiError: a write was refused, as by a quota.
        """
        job = self._api.get(_JOBS, *key)
        if job is None or is_terminating(job):
            return None
        if is_finished(job):
            return self._expire(job)
        tally = self._tallies.setdefault(uid_of(job), Tally())
        tally.policy = job["spec"].get("podFailurePolicy")
        pods = self._pods(job)
        for pod in pods:
            tally.take(pod)
        active_for = self._active_for(job)
        plan = decide(job, pods, tally, active_for=active_for)
        wait = tally.backoff_left(self._pace.scale) if plan.wanted else 0.0
        try:
            self._carry_out(job, plan, tally, waiting=wait > 0)
        finally:
            written = self._write(job, plan, tally)
        return _soonest(wait, self._deadline_left(written, active_for), self._expire(written))

    def _pods(self, job: Object) -> list[Object]:
        selector = label_selector(job["spec"]["selector"])
        candidates = self._api.list("pods", job["metadata"]["namespace"])
        return claim(self._api, "pods", job, candidates, matches=lambda p: selector.matches(labels_of(p)))

    def _carry_out(self, job: Object, plan: Plan, tally: Tally, *, waiting: bool) -> None:
        tally.dismissed.update(uid_of(p) for p in plan.doomed)
        self._control.delete(job, plan.doomed)
        if not waiting:
            for index in plan.wanted:
                self._control.create(job, pod_of(job, index))

    def _write(self, job: Object, plan: Plan, tally: Tally) -> Object:
        status = status_of(job, self._pods(job), tally, plan.verdict, now=timestamp())
        if status == job.get("status"):
            return job
        stored = self._api.get(_JOBS, *key_of(job))
        if stored is None or uid_of(stored) != uid_of(job):
            return job
        written = self._api.update_status(_JOBS, {**stored, "status": status}, manager=_MANAGER)
        self._tell(job, written, plan)
        return written

    def _tell(self, before: Object, after: Object, plan: Plan) -> None:
        if is_true(after, "Suspended") != is_true(before, "Suspended"):
            word = "suspended" if is_suspended(after) else "resumed"
            self._recorder.normal(after, word.capitalize(), f"Job {word}")
        if not is_finished(after) or plan.verdict is None:
            return
        if plan.verdict.kind == "Complete":
            self._recorder.normal(after, "Completed", "Job completed")
        else:
            self._recorder.warning(after, plan.verdict.reason, plan.verdict.message)

    def _active_for(self, job: Object) -> float:
        """Nominal seconds since the Job started."""
        started = (job.get("status") or {}).get("startTime")
        return self._ages.of((uid_of(job), "started", started), started) * self._pace.scale if started else 0.0

    def _deadline_left(self, job: Object, active_for: float) -> float | None:
        deadline = job["spec"].get("activeDeadlineSeconds")
        if deadline is None or is_suspended(job) or is_finished(job):
            return None
        return float(max(deadline - active_for, 0.01 * self._pace.scale))

    def _expire(self, job: Object) -> float | None:
        """Delete a finished Job whose time to live is over, or say how long it has left."""
        keep = job["spec"].get("ttlSecondsAfterFinished")
        if keep is None or not is_finished(job):
            return None
        end = condition(job, "Complete" if is_true(job, "Complete") else "Failed") or {}
        fact = (uid_of(job), "finished", end["lastTransitionTime"])
        left = keep - self._ages.of(fact, end["lastTransitionTime"]) * self._pace.scale
        if left > 0:
            return float(left)
        namespace, name = key_of(job)
        self._api.delete(_JOBS, namespace, name, uid=uid_of(job))
        return None


def _soonest(wait: float, *others: float | None) -> float | None:
    return min((s for s in (wait or None, *others) if s is not None), default=None)
