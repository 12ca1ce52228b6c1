"""Whether a mend worked: silent, firing, or not to be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from falco_story import DROPPED, alert

from aegis.errors import NotFound, Refused
from aegis.evidence.falco import FalcoPlace
from aegis.falco.alert import Alert, parse_alert
from aegis.falco.query import AlertQuery
from aegis.model.refs import ObjectRef
from aegis.ports import AlertBatch, Purpose
from aegis.triage.verify import Watch, lapses, rerun, verified, watched

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
WATCH = Watch(
    rule=DROPPED, namespace="headscale", workload="headscale-backup", job="aegis-rerun-headscale-backup-af6cf2"
)
BACKUP = ObjectRef(api_version="batch/v1", kind="CronJob", name="headscale-backup", namespace="headscale")
HERE: dict[str, Any] = {"namespace": "headscale", "pod": "headscale-backup-28912345-k2xzd", "name": "sqlite3"}


def parsed(line: str) -> Alert:
    found = parse_alert(line)
    assert found is not None
    return found


@pytest.mark.parametrize("pod", ["headscale-backup-28912345-k2xzd", "aegis-rerun-headscale-backup-af6cf2-k2xzd"])
def test_it_fires_still(pod: str) -> None:
    found = verified([alert(DROPPED, **{**HERE, "pod": pod})], (), WATCH)
    assert found.outcome == "firing"
    assert len(found.here) == 1


def test_it_is_silent_here_and_fires_elsewhere() -> None:
    others = [alert(DROPPED, **{**HERE, "pod": "headscale-0"}), alert(DROPPED, **{**HERE, "namespace": "shop"})]
    found = verified(others, (), WATCH)
    assert found.outcome == "silent"
    assert found.elsewhere == 2
    assert "fired 2 times elsewhere" in found.reason
    assert "nobody else" in verified([alert("Write below etc", **HERE)], (), WATCH).reason


INTERNAL = '{"rule":"Falco internal: syscall event drop","priority":"Debug","output":"o","source":"internal"}'


@pytest.mark.parametrize(
    ("alerts", "notes", "trouble", "why"),
    [
        ([], (), "", "told no alert at all"),
        ([alert("x")], ("a log was rotated",), "", "not read whole: a log was rotated"),
        ([alert("x")], (), "the Job j is failed", "the Job j is failed"),
        ([alert("x"), parsed(INTERNAL)], (), "", "lost events"),
        ([alert(DROPPED, pod="", namespace=None, container__id="abc")], (), "", "do not say whose they are"),
        ([parsed("2026-11-21T00:31:15.0Z: Error Something | k8s_ns_name=headscale")], (), "", "lines of text"),
    ],
)
def test_what_cannot_be_told_is_not_called_silent(
    alerts: list[Alert], notes: Sequence[str], trouble: str, why: str
) -> None:
    found = verified(alerts, notes, WATCH, trouble=trouble)
    assert found.outcome == "inconclusive"
    assert why in found.reason
    assert verified([*alerts, alert(DROPPED, **HERE)], notes, WATCH, trouble=trouble).outcome == "firing"


def test_a_rule_that_was_never_told_is_not_called_silent() -> None:
    unknown = replace(WATCH, rule="Drop and exceute", is_known=False)
    found = verified([alert("x")], (), unknown)
    assert found.outcome == "inconclusive"
    assert "is its name right" in found.reason
    assert verified([alert("x"), alert("Drop and exceute", namespace="shop")], (), unknown).outcome == "silent"


def test_a_whole_namespace_is_watched_where_no_workload_is_named() -> None:
    watch = Watch(rule=DROPPED, namespace="headscale")
    assert verified([alert(DROPPED, **{**HERE, "pod": "headscale-0"})], (), watch).outcome == "firing"
    assert verified([alert(DROPPED, **{**HERE, "namespace": "headscale-2"})], (), watch).outcome == "silent"


class _Source:
    """Tells one batch at each question."""

    name = "store"

    def __init__(self, *batches: list[Alert]) -> None:
        self.batches = list(batches)
        self.asked: list[AlertQuery] = []

    async def read(self, query: AlertQuery, limit: int) -> AlertBatch:
        self.asked.append(query)
        return AlertBatch(alerts=tuple(self.batches.pop(0) if len(self.batches) > 1 else self.batches[0]))


async def test_watching_ends_as_soon_as_it_fires() -> None:
    source = _Source([alert("x")], [alert("x"), alert(DROPPED, **HERE)])
    found = await watched(source, WATCH, NOW, settle=60.0)
    assert found.outcome == "firing"
    assert len(source.asked) == 2
    assert source.asked[0].since == NOW
    assert source.asked[0].rule == ""


async def test_an_alert_that_is_told_again_counts_once() -> None:
    found = await watched(_Source([alert("x")]), WATCH, NOW, settle=0.05)
    assert (found.outcome, found.covered) == ("silent", 1)


CRONJOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "headscale-backup", "namespace": "headscale", "uid": "u-1"},
    "spec": {"jobTemplate": {"metadata": {"labels": {"app": "b"}}, "spec": {"template": {"spec": {"containers": []}}}}},
}


class _Cluster:
    """A cluster with one CronJob, whose Jobs are over at once; it notes what was written."""

    def __init__(self, cronjob: dict[str, Any] | None, status: dict[str, Any] | None = None) -> None:
        self.cronjob, self.status = cronjob, status
        self.made: list[Any] = []
        self.falco: list[Any] = []
        self.removed: list[tuple[ObjectRef, str]] = []
        self.purposes: list[Purpose] = []

    async def find(self, ref: ObjectRef) -> Any:
        return self.cronjob if ref.kind == "CronJob" else {"status": self.status}

    async def list(
        self, api_version: str, kind: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> Any:
        return [{"spec": {"nodeName": "node-1"}}] if labels.startswith("job-name=") else self.falco

    async def create(self, obj: Any, purpose: Purpose) -> Any:
        self.made.append(obj)
        self.purposes.append(purpose)
        return {**obj, "metadata": {**obj["metadata"], "uid": "u-2", "creationTimestamp": "2026-11-21T03:00:00Z"}}

    async def delete(self, ref: ObjectRef, purpose: Purpose, *, uid: str = "", resource_version: str = "") -> None:
        self.purposes.append(purpose)
        self.removed.append((ref, uid))


def _over(condition: str) -> dict[str, Any]:
    return {"conditions": [{"type": condition, "status": "True"}]}


def _silence(_message: str, /, **_facts: object) -> None:
    return None


async def _rerun(cluster: Any, patience: float = 5.0) -> str:
    async with rerun(cluster, cluster, BACKUP, patience=patience, progress=_silence) as job:
        assert cluster.removed == []
        return job.result


async def test_a_job_is_made_as_the_cronjob_makes_it_and_removed() -> None:
    cluster = _Cluster(CRONJOB, _over("Complete"))
    assert await _rerun(cluster) == "complete"
    (job,) = cluster.made
    assert job["spec"] == CRONJOB["spec"]["jobTemplate"]["spec"]
    assert job["metadata"]["name"].startswith("aegis-rerun-headscale-backup-")
    assert job["metadata"]["labels"] == {"app": "b", "app.kubernetes.io/managed-by": "aegis"}
    assert job["metadata"]["ownerReferences"][0]["uid"] == "u-1"
    assert [(ref.name, uid) for ref, uid in cluster.removed] == [(job["metadata"]["name"], "u-2")]
    assert {purpose.kind for purpose in cluster.purposes} == {"rerun"}
    assert {purpose.scope for purpose in cluster.purposes} == {("headscale-backup",)}


@pytest.mark.parametrize(("status", "result"), [(_over("Failed"), "failed"), ({}, "not over after 0.05 s")])
async def test_a_job_that_does_not_complete_is_told_and_removed(status: dict[str, Any], result: str) -> None:
    cluster = _Cluster(CRONJOB, status)
    assert await _rerun(cluster, patience=0.05) == result
    assert len(cluster.removed) == 1


async def test_what_is_not_there_is_not_started() -> None:
    cluster = _Cluster(None)
    with pytest.raises(NotFound):
        await _rerun(cluster)
    with pytest.raises(Refused):
        await _rerun(_Cluster({"spec": {}}))
    assert cluster.made == []


async def test_the_job_is_removed_when_what_follows_fails() -> None:
    cluster = _Cluster(CRONJOB, _over("Complete"))
    with pytest.raises(RuntimeError):
        async with rerun(cluster, cluster, BACKUP, patience=5.0, progress=_silence):  # type: ignore[arg-type]  # a part of a cluster
            raise RuntimeError
    assert len(cluster.removed) == 1


def _falco(node: str, ready: bool = True) -> dict[str, Any]:
    begin = "2026-11-20T00:00:00Z"
    return {
        "metadata": {"name": "falco-x", "namespace": "falco", "uid": "u-f"},
        "spec": {"nodeName": node, "containers": [{"name": "falco", "image": "falco"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": begin}],
            "containerStatuses": [{"name": "falco", "ready": ready, "state": {"running": {"startedAt": begin}}}],
        },
    }


@pytest.mark.parametrize(
    ("falco", "why"),
    [
        ([_falco("node-1")], ""),
        ([_falco("node-2")], "no Falco watches the node node-1"),
        ([_falco("node-1", False)], "x"),
    ],
)
async def test_falco_watched_or_why_not(falco: list[Any], why: str) -> None:
    cluster: Any = _Cluster(CRONJOB, _over("Complete"))
    cluster.falco = falco
    async with rerun(cluster, cluster, BACKUP, patience=5.0, progress=_silence) as job:
        found = await lapses(cluster, FalcoPlace(), job)
    assert job.nodes == ("node-1",)
    assert bool(found) is bool(why)
    assert why in {"", "x"} or found == [why]
    silence = verified([], (), WATCH, trouble="; ".join(found), is_covered=not found)
    assert silence.outcome == ("inconclusive" if why else "silent")
