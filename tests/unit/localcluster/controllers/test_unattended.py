"""What nobody acts on is said aloud."""

from __future__ import annotations

from typing import Any

from aegis.localcluster.controllers.unattended import UnattendedController


async def test_a_job_is_warned_of_once(cluster: Any, make_pod: Any) -> None:
    template = {"spec": {**make_pod("p")["spec"], "restartPolicy": "Never"}}
    job = {"metadata": {"name": "j", "namespace": "default"}, "spec": {"template": template}}
    async with cluster.running(UnattendedController):
        cluster.api.create("jobs.batch", job, manager="test")
        await cluster.expect(lambda: cluster.messages("NotImplemented"))
        labelled = {"metadata": {"labels": {"a": "b"}}}
        cluster.api.patch("jobs.batch", "default", "j", labelled, manager="test")
        await cluster.quiet()
        (event,) = cluster.api.list("events", "default")
        assert (event["type"], event["involvedObject"]["kind"]) == ("Warning", "Job")
