"""CronJobs over the real store, with a clock that the test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.cronjob import CronJobController
from aegis.localcluster.controllers.objects import parsed_time, timestamp

KEY = ("default", "c")


class Clock:
    """A CronJob, its controller and the time."""

    def __init__(self, cluster: Any, **spec: Any) -> None:
        self.api = cluster.api
        pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:1.36"}]}
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"template": {"spec": pod}}}
        cron = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "c", "namespace": "default"},
            "spec": {"schedule": "* * * * *", "jobTemplate": template, **spec},
        }
        born = parsed_time(self.api.create("cronjobs.batch", cron, manager="test")["metadata"]["creationTimestamp"])
        self.now = born.replace(second=0) + timedelta(seconds=30)
        if self.now < born:
            self.now += timedelta(minutes=1)
        self.controller = CronJobController(self.api, cluster.pace, now=lambda: self.now)

    def pass_minutes(self, minutes: int = 1) -> None:
        self.now += timedelta(minutes=minutes)
        self.controller.sync(KEY)

    def jobs(self) -> list[Object]:
        return sorted(self.api.list("jobs.batch", "default"), key=lambda j: str(j["metadata"]["name"]))

    def status(self) -> Object:
        found: Object = self.api.get("cronjobs.batch", *KEY).get("status") or {}
        return found

    def end(self, kind: str = "Complete") -> None:
        for job in self.jobs():
            conditions = [{"type": kind, "status": "True"}]
            status = {"conditions": conditions, "completionTime": timestamp(datetime.now(UTC))}
            if not (job.get("status") or {}).get("conditions"):
                self.api.update_status("jobs.batch", {**job, "status": status}, manager="test")


def test_a_job_a_minute_until_it_is_suspended(cluster: Any) -> None:
    clock = Clock(cluster)
    clock.pass_minutes()
    (job,) = clock.jobs()
    due = clock.now.replace(second=0)
    assert job["metadata"]["name"] == f"c-{int(due.timestamp()) // 60}"
    assert (job["metadata"]["labels"]["a"], job["metadata"]["ownerReferences"][0]["kind"]) == ("b", "CronJob")
    assert clock.status()["lastScheduleTime"] == timestamp(due)
    assert [r["name"] for r in clock.status()["active"]] == [job["metadata"]["name"]]
    assert clock.controller.sync(KEY) == 30.0
    assert len(clock.jobs()) == 1
    cluster.api.patch("cronjobs.batch", *KEY, {"spec": {"suspend": True}}, manager="test")
    clock.pass_minutes(5)
    assert len(clock.jobs()) == 1


def test_of_several_missed_times_only_the_last_counts(cluster: Any) -> None:
    clock = Clock(cluster)
    clock.pass_minutes(10)
    assert len(clock.jobs()) == 1
    assert clock.status()["lastScheduleTime"] == timestamp(clock.now.replace(second=0))


def test_a_deadline_lets_late_ones_go(cluster: Any) -> None:
    clock = Clock(cluster, startingDeadlineSeconds=10)
    clock.pass_minutes()  # half a minute late
    assert not clock.jobs()


@pytest.mark.parametrize(("policy", "running"), [("Allow", 2), ("Forbid", 1), ("Replace", 1)])
def test_what_runs_already(cluster: Any, policy: str, running: int) -> None:
    clock = Clock(cluster, concurrencyPolicy=policy)
    clock.pass_minutes()
    (first,) = clock.jobs()
    clock.pass_minutes()
    assert len(clock.jobs()) == running
    replaced = first["metadata"]["uid"] not in {j["metadata"]["uid"] for j in clock.jobs()}
    assert replaced == (policy == "Replace")
    assert bool(cluster.messages("JobAlreadyActive")) == (policy == "Forbid")


@pytest.mark.parametrize(("kind", "kept"), [("Complete", 2), ("Failed", 1)])
def test_the_history_has_limits(cluster: Any, kind: str, kept: int) -> None:
    clock = Clock(cluster, successfulJobsHistoryLimit=2)
    for _ in range(4):
        clock.pass_minutes()
        clock.end(kind)
    clock.controller.sync(KEY)
    assert len(clock.jobs()) == kept
    assert ("lastSuccessfulTime" in clock.status()) == (kind == "Complete")
    assert len(cluster.messages("SawCompletedJob")) == 4
