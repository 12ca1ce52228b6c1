"""Jobs over the real store."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.localcluster.api import Object, Pace
from aegis.localcluster.controllers.job import JobController
from aegis.localcluster.controllers.objects import condition, is_terminating, is_true


@pytest.fixture
def pace() -> Pace:
    return Pace(scale=100)


def job(**spec: Any) -> Object:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:1.36"}]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": "default"},
        "spec": {"template": template, **spec},
    }


def stored(cluster: Any) -> Object:
    found: Object = cluster.api.get("jobs.batch", "default", "j")
    return found


def end(cluster: Any, phase: str) -> bool:
    """What a kubelet reports of the pods that run."""
    for pod in cluster.pods():
        if is_terminating(pod):
            cluster.api.delete("pods", "default", pod["metadata"]["name"], grace_seconds=0)
        elif pod["status"]["phase"] == "Pending":
            cluster.api.update_status("pods", {**pod, "status": {"phase": phase}}, manager="kubelet")
    return True


async def test_runs_to_its_completions(cluster: Any) -> None:
    async with cluster.running(JobController):
        cluster.api.create("jobs.batch", job(completions=3, parallelism=2), manager="test")
        await cluster.expect(lambda: len(cluster.pods()) == 2)
        await cluster.expect(lambda: stored(cluster)["status"].get("active") == 2)
        end(cluster, "Succeeded")
        await cluster.expect(lambda: len(cluster.pods()) == 3)
        assert not is_true(stored(cluster), "Complete")
        end(cluster, "Succeeded")
        await cluster.expect(lambda: is_true(stored(cluster), "Complete"))
        status = stored(cluster)["status"]
        assert (status["succeeded"], status.get("active"), status.get("failed")) == (3, None, None)
        assert status["completionTime"] >= status["startTime"]
        assert cluster.messages("Completed") == ["Job completed"]
        assert len(cluster.messages("SuccessfulCreate")) == 3
        assert {p["metadata"]["labels"]["job-name"] for p in cluster.pods()} == {"j"}


async def test_gives_up_after_the_back_off_limit(cluster: Any) -> None:
    async with cluster.running(JobController):
        cluster.api.create("jobs.batch", job(backoffLimit=1), manager="test")
        await cluster.expect(cluster.pods)
        end(cluster, "Failed")
        await cluster.quiet()
        assert len(cluster.pods()) == 1  # 10 nominal seconds are to pass first
        await cluster.expect(lambda: len(cluster.pods()) == 2)
        end(cluster, "Failed")
        await cluster.expect(lambda: is_true(stored(cluster), "Failed"))
        failed = condition(stored(cluster), "Failed")
        assert failed is not None
        assert failed["reason"] == "BackoffLimitExceeded"
        assert stored(cluster)["status"]["failed"] == 2
        assert cluster.messages("BackoffLimitExceeded") == ["Job has reached the specified backoff limit"]


async def test_a_deadline_ends_what_runs(cluster: Any) -> None:
    async with cluster.running(JobController):
        cluster.api.create("jobs.batch", job(activeDeadlineSeconds=20), manager="test")
        await cluster.expect(cluster.pods)
        await cluster.expect(lambda: end(cluster, "Running") and is_true(stored(cluster), "Failed"))
        failed = condition(stored(cluster), "Failed")
        assert failed is not None
        assert failed["reason"] == "DeadlineExceeded"
        assert "failed" not in stored(cluster)["status"]
        assert not cluster.pods()


async def test_is_suspended_and_resumed(cluster: Any) -> None:
    async with cluster.running(JobController):
        cluster.api.create("jobs.batch", job(suspend=True), manager="test")
        await cluster.expect(lambda: is_true(stored(cluster), "Suspended"))
        assert not cluster.pods()
        assert "startTime" not in stored(cluster)["status"]
        cluster.api.patch("jobs.batch", "default", "j", {"spec": {"suspend": False}}, manager="test")
        await cluster.expect(cluster.pods)
        await cluster.expect(lambda: "startTime" in stored(cluster)["status"])
        cluster.api.patch("jobs.batch", "default", "j", {"spec": {"suspend": True}}, manager="test")
        await cluster.expect(lambda: end(cluster, "Running") and not cluster.pods())
        await cluster.expect(lambda: is_true(stored(cluster), "Suspended"))
        assert "failed" not in stored(cluster)["status"]
        assert cluster.messages("Resumed") == ["Job resumed"]


async def test_a_finished_job_lives_as_long_as_asked(cluster: Any) -> None:
    async with cluster.running(JobController):
        cluster.api.create("jobs.batch", job(ttlSecondsAfterFinished=30), manager="test")
        await cluster.expect(cluster.pods)
        end(cluster, "Succeeded")
        await cluster.expect(lambda: is_true(stored(cluster), "Complete"))
        await cluster.expect(lambda: cluster.api.get("jobs.batch", "default", "j") is None)


async def test_a_pod_that_somebody_deletes_has_failed_and_is_replaced(cluster: Any) -> None:
    async with cluster.running(JobController):
        cluster.api.create("jobs.batch", job(), manager="test")
        (first,) = await cluster.expect(cluster.pods)
        cluster.api.delete("pods", "default", first["metadata"]["name"], grace_seconds=0)
        (second,) = await cluster.expect(cluster.pods)
        assert second["metadata"]["uid"] != first["metadata"]["uid"]
        assert stored(cluster)["status"]["failed"] == 1
