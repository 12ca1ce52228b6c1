"""The CronJob controller: Jobs by the clock, which no time scale changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aegis.localcluster.api import ClusterApi, Object, Pace, WatchEvent
from aegis.localcluster.controllers.cron import Schedule, parsed
from aegis.localcluster.controllers.jobdecision import is_finished
from aegis.localcluster.controllers.objects import (
    Key,
    controller_of,
    controller_reference,
    is_terminating,
    is_true,
    key_of,
    parsed_time,
    timestamp,
    uid_of,
)
from aegis.localcluster.controllers.recorder import Recorder
from aegis.localcluster.status import ApiError

_CRONJOBS, _JOBS, _MANAGER = "cronjobs.batch", "jobs.batch", "kube-controller-manager"
_SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_STILL_RUNS = "Not starting job because prior execution is running and concurrency policy is Forbid"
_LIMITS = (("Complete", "successfulJobsHistoryLimit", 3), ("Failed", "failedJobsHistoryLimit", 1))


class CronJobController:
    """Makes the Jobs of CronJobs when they are due, and deletes old ones."""

    name = "cronjob-controller"
    watches = (_CRONJOBS, _JOBS)

    def __init__(self, api: ClusterApi, pace: Pace, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._api, self._pace, self._now = api, pace, now
        self._recorder = Recorder(api, self.name)

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The CronJob itself, or the owner of a Job."""
        if event.resource == _CRONJOBS:
            return [key_of(event.object)]
        owner = controller_of(event.object)
        if owner is None or owner["kind"] != "CronJob":
            return []
        return [(event.object["metadata"]["namespace"], owner["name"])]

    def sync(self, key: Key) -> float | None:
        """Make a Job that is due, and write the status.

        Raises:
            ApiError: a write was refused, as by a quota.
        """
        cron = self._api.get(_CRONJOBS, *key)
        if cron is None or is_terminating(cron):
            return None
        jobs = self._jobs(cron)
        self._tidy(cron, jobs)
        self._note_ends(cron, jobs)
        schedule = None if cron["spec"].get("suspend") else self._schedule(cron)
        last = (cron.get("status") or {}).get("lastScheduleTime")
        if schedule is None:
            self._write(cron, last)
            return None
        now = self._now()
        due = schedule.latest(since(cron, now), now)
        if due is not None and self._may_start(cron, jobs):
            self._start(cron, due)
            last = timestamp(due)
        self._write(cron, last)
        following = schedule.after(now)
        if following is None:
            return None
        return max((following - now).total_seconds(), 0.1) * self._pace.scale

    def _jobs(self, cron: Object) -> list[Object]:
        namespace, uid = cron["metadata"]["namespace"], uid_of(cron)
        return [j for j in self._api.list(_JOBS, namespace) if (controller_of(j) or {}).get("uid") == uid]

    def _schedule(self, cron: Object) -> Schedule | None:
        spec = cron["spec"]
        try:
            return parsed(spec["schedule"], ZoneInfo(spec["timeZone"]) if spec.get("timeZone") else UTC)
        except ZoneInfoNotFoundError:
            self._recorder.warning(cron, "UnknownTimeZone", f"invalid timeZone: {spec['timeZone']!r}")
        except ValueError as error:
            self._recorder.warning(cron, "UnparseableSchedule", f"unparseable schedule {spec['schedule']!r}: {error}")
        return None

    def _may_start(self, cron: Object, jobs: Sequence[Object]) -> bool:
        running = [j for j in jobs if not is_finished(j)]
        policy = cron["spec"].get("concurrencyPolicy")
        if running and policy == "Forbid":
            self._recorder.normal(cron, "JobAlreadyActive", _STILL_RUNS)
            return False
        if policy == "Replace":
            for job in running:
                self._delete(cron, job)
        return True

    def _start(self, cron: Object, due: datetime) -> None:
        wanted = job_for(cron, due)
        name = wanted["metadata"]["name"]
        try:
            self._api.create(_JOBS, wanted, manager=_MANAGER)
        except ApiError as error:
            if error.reason == "AlreadyExists":  # names count minutes: this minute's Job is there
                return
            if "being terminated" not in error.message:
                self._recorder.warning(cron, "FailedCreate", f"Error creating job: {error.message}")
            raise
        self._recorder.normal(cron, "SuccessfulCreate", f"Created job {name}")

    def _tidy(self, cron: Object, jobs: Sequence[Object]) -> None:
        for kind, field, default in _LIMITS:
            ended = [j for j in jobs if is_true(j, kind) and not is_terminating(j)]
            ended.sort(key=lambda j: (j["metadata"]["creationTimestamp"], j["metadata"]["name"]))
            for job in ended[: max(0, len(ended) - cron["spec"].get(field, default))]:
                self._delete(cron, job)

    def _delete(self, cron: Object, job: Object) -> None:
        namespace, name = key_of(job)
        self._api.delete(_JOBS, namespace, name, uid=uid_of(job))
        self._recorder.normal(cron, "SuccessfulDelete", f"Deleted job {name}")

    def _note_ends(self, cron: Object, jobs: Sequence[Object]) -> None:
        active = {r.get("uid") for r in (cron.get("status") or {}).get("active") or ()}
        for job in jobs:
            if uid_of(job) in active and is_finished(job):
                word = "Complete" if is_true(job, "Complete") else "Failed"
                name = job["metadata"]["name"]
                self._recorder.normal(cron, "SawCompletedJob", f"Saw completed job: {name}, condition: {word}")

    def _write(self, cron: Object, last: str | None) -> None:
        stored = self._api.get(_CRONJOBS, *key_of(cron))
        if stored is None or uid_of(stored) != uid_of(cron):
            return
        status = status_of(stored, self._jobs(stored), last)
        if status != (stored.get("status") or {}):
            self._api.update_status(_CRONJOBS, {**stored, "status": status}, manager=_MANAGER)


def since(cron: Object, now: datetime) -> datetime:
    """The moment after which times count: the last one, the birth, or the starting deadline."""
    text = (cron.get("status") or {}).get("lastScheduleTime") or cron["metadata"]["creationTimestamp"]
    earliest, deadline = parsed_time(text), cron["spec"].get("startingDeadlineSeconds")
    return earliest if deadline is None else max(earliest, now - timedelta(seconds=deadline))


def job_for(cron: Object, due: datetime) -> Object:
    """The Job for one time."""
    metadata, template = cron["metadata"], cron["spec"]["jobTemplate"]
    given = template.get("metadata") or {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{metadata['name']}-{int(due.timestamp()) // 60}",
            "namespace": metadata["namespace"],
            "labels": dict(given.get("labels") or {}),
            "annotations": {**(given.get("annotations") or {}), _SCHEDULED: timestamp(due)},
            "ownerReferences": [controller_reference(cron)],
        },
        "spec": template["spec"],
    }


def status_of(cron: Object, jobs: Sequence[Object], last: str | None) -> Object:
    """The status of a CronJob: what runs, and when it last started and succeeded."""
    active = [_reference(j) for j in jobs if not is_finished(j) and not is_terminating(j)]
    ends = [j["status"]["completionTime"] for j in jobs if is_true(j, "Complete")]
    succeeded = max([*ends, (cron.get("status") or {}).get("lastSuccessfulTime") or ""])
    facts = {"active": active, "lastScheduleTime": last, "lastSuccessfulTime": succeeded}
    return {k: v for k, v in facts.items() if v}


def _reference(job: Object) -> dict[str, Any]:
    metadata = job["metadata"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "uid": metadata["uid"],
        "resourceVersion": metadata["resourceVersion"],
    }
