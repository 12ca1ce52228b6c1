"""`check_falco_alerts` as scripts call it: the settings of the environment, a kubeconfig, a server that speaks TLS."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fake_api_server import Authority, FakeServer, answer, make_authority, serving, status
from falco_logs import FalcoLogs, alert_line, falco_pod, stamp

from aegis.ports import LogQuery
from aegis.security import SecurityPipeline, runtime
from aegis.security.desk import Desk
from aegis.security.falco import FALCO_PRIORITY_ORDER, PRIORITY_LEVELS, check_falco_alerts

KEYS = {
    "tool", "passed", "skipped", "reason", "namespace_filter", "falco_namespace", "label_selector", "since_timestamp",
    "since_minutes", "severity_threshold", "alert_count", "summary", "alerts", "raw_lines_count", "stderr", "status",
}  # fmt: skip
WEB = "a" * 64


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


class Cluster(FalcoLogs):
    """A cluster with Falco as a server answers for it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime.now(UTC)
        self.forbidden = ""
        status = {"name": "web", "containerID": f"containerd://{WEB}", "state": {"running": {}}}
        self.pods.append({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "web", "namespace": "demo", "labels": {}},
            "spec": {"nodeName": "node-1", "containers": [{"name": "web"}]},
            "status": {"phase": "Running", "containerStatuses": [status]},
        })

    def falco(self, *, namespace: str = "falco", labels: dict[str, str] | None = None) -> None:
        """A pod of Falco that has been there for an hour."""
        before = self.now - timedelta(hours=1)
        labels = labels or {"app.kubernetes.io/name": "falco"}
        self.put(falco_pod(namespace=namespace, labels=labels, ready=before, started=before), head=before)

    def told(self, seconds: float = 30.0, **alert: Any) -> None:
        """Falco tells of something that happened so many seconds ago."""
        moment = self.now - timedelta(seconds=seconds)
        self.lines["falco-1"].append((moment, alert_line(time=stamp(moment), **alert)))

    async def serve(self, request: web.Request) -> web.StreamResponse:
        path, query = request.path, request.query
        parts = path.strip("/").split("/")
        if self.forbidden and self.forbidden in path:
            return await status(403, "Forbidden", f"may not {path}")(request)
        if path.endswith("/log"):
            since = datetime.fromisoformat(query["sinceTime"]) if "sinceTime" in query else None
            asked = LogQuery(container=query["container"], since=since, limit_bytes=int(query["limitBytes"]))
            return web.Response(text=await self.logs(parts[3], parts[5], asked))
        if path.endswith("/version"):
            return await answer({"gitVersion": "v1.36.0"})(request)
        if path == "/api/v1/namespaces/kube-system":
            return await answer({"metadata": {"name": "kube-system", "uid": "u1"}})(request)
        namespace = parts[3] if "namespaces" in parts else ""
        items = []
        if path.endswith("/pods"):
            labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
            items = await self.list("v1", "Pod", namespace=namespace, labels=labels, fields=fields)
        return await answer({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})(request)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
async def server(
    cluster: Cluster, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FakeServer]:
    monkeypatch.setattr(runtime, "SETTLED", 0.0)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    async with serving(authority, tmp_path) as fake:
        fake.then(cluster.serve)
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig()))
        yield fake


async def check(minutes: float = 5, **options: Any) -> dict[str, Any]:
    found = await check_falco_alerts("demo", datetime.now(UTC) - timedelta(minutes=minutes), **options)
    assert found.keys() == KEYS
    assert found["passed"] is (found["status"] == "clean")
    assert found["skipped"] is (found["status"] == "skipped")
    assert found["passed"] or found["reason"], "what is not clean says why"
    assert set(found["summary"]) == {"critical", "error", "warning", "other"}
    json.dumps(found)
    return found


def test_the_signature_is_the_one_that_users_know() -> None:
    shown = [
        (one.name, one.default if one.default is not one.empty else None)
        for one in inspect.signature(check_falco_alerts).parameters.values()
    ]
    assert shown == [
        ("namespace", None),
        ("since_timestamp", None),
        ("severity_threshold", "WARNING"),
        ("timeout_seconds", 30),
        ("falco_namespace", "falco"),
        ("label_selector", "app=falco"),
        ("fallback_since_minutes", 10),
    ]


def test_priorities_are_ordered() -> None:
    assert FALCO_PRIORITY_ORDER[0] == "DEBUG"
    assert FALCO_PRIORITY_ORDER[-1] == "EMERGENCY"
    assert PRIORITY_LEVELS["CRITICAL"] > PRIORITY_LEVELS["WARNING"] > PRIORITY_LEVELS["INFORMATIONAL"]


async def test_no_alerts_pass(cluster: Cluster, server: FakeServer) -> None:
    cluster.falco()
    found = await check()
    assert (found["status"], found["reason"], found["stderr"]) == ("clean", None, None)
    assert (found["tool"], found["namespace_filter"], found["alert_count"]) == ("falco", "demo", 0)
    assert (found["falco_namespace"], found["label_selector"]) == ("falco", "app.kubernetes.io/name=falco")
    assert (found["since_minutes"], found["severity_threshold"]) == (6, "WARNING")
    assert datetime.fromisoformat(found["since_timestamp"]).utcoffset() == timedelta()


async def test_alerts_at_or_above_the_threshold_fail(cluster: Cluster, server: FakeServer) -> None:
    cluster.falco()
    cluster.told(ns="demo", priority="Warning", rule="A")
    cluster.told(20, ns="demo", priority="Alert", rule="B")
    cluster.told(10, ns="demo", priority="Error", rule="C")
    cluster.told(5, ns="demo", priority="Notice", rule="D")
    found = await check()
    assert found["status"] == "dirty"
    assert found["summary"] == {"critical": 1, "error": 1, "warning": 1, "other": 0}
    assert [one["rule"] for one in found["alerts"]] == ["A", "B", "C"]
    assert (found["alert_count"], found["raw_lines_count"]) == (3, 4)
    assert (await check(severity_threshold="error"))["alert_count"] == 2
    assert (await check(severity_threshold="Notice"))["summary"]["other"] == 1
    assert (await check(severity_threshold="emergency"))["status"] == "clean"


@pytest.mark.parametrize(
    ("alert", "expected"),
    [
        ({"ns": "demo", "priority": "Notice"}, "clean"),
        ({"ns": "demo-prod"}, "clean"),
        ({"ns": "demo", "seconds": 400}, "clean"),
        ({"container": WEB[:12]}, "dirty"),
        ({"container": "c" * 12}, "unknown"),
        ({}, "unknown"),
        ({"rule": "Falco internal: syscall event drop", "source": "internal"}, "errored"),
    ],
    ids=["below", "like namespace", "before", "by its container", "nobody's", "null", "drops"],
)
async def test_what_an_alert_amounts_to(
    cluster: Cluster, server: FakeServer, alert: dict[str, Any], expected: str
) -> None:
    cluster.falco()
    cluster.told(**alert)
    assert (await check())["status"] == expected


async def test_falcos_text_is_read_too(cluster: Cluster, server: FakeServer) -> None:
    cluster.falco()
    moment = cluster.now - timedelta(seconds=30)
    for namespace in ("demo", "demo-prod"):
        text = f"{moment:%H:%M:%S.%f}000: Critical Opened | container_id={'c' * 12} k8s_ns_name={namespace}"
        cluster.lines["falco-1"].append((moment, text))
    found = await check()
    assert (found["status"], found["summary"]["critical"]) == ("dirty", 1)
    assert found["alerts"][0]["output_fields"]["k8s.ns.name"] == "demo"


@pytest.mark.parametrize(
    ("namespace", "labels"),
    [
        ("falco", {"app": "falco"}),
        ("falco", {"app.kubernetes.io/name": "falco"}),
        ("kosmos-system", {"app": "falco"}),
        ("falco-system", {"app.kubernetes.io/name": "falco"}),
    ],
)
async def test_the_defaults_find_falco_wherever_it_is(
    cluster: Cluster, server: FakeServer, namespace: str, labels: dict[str, str]
) -> None:
    cluster.falco(namespace=namespace, labels=labels)
    found = await check()
    assert found["status"] == "clean"
    (label,) = labels.items()
    assert (found["falco_namespace"], found["label_selector"]) == (namespace, "=".join(label))


async def test_what_is_said_in_full_is_looked_for_only_there(
    cluster: Cluster, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.falco(namespace="kosmos-system", labels={"x": "y"})
    assert (await check(falco_namespace="other", label_selector="x=y"))["status"] == "skipped"
    assert (await check(falco_namespace="kosmos-system"))["status"] == "skipped"
    assert (await check(falco_namespace="kosmos-system", label_selector="x=y"))["status"] == "clean"
    monkeypatch.setenv("AEGIS_SECURITY__FALCO_NAMESPACE", "kosmos-system")
    monkeypatch.setenv("AEGIS_SECURITY__FALCO_LABEL_SELECTOR", "x=y")
    assert (await check())["status"] == "clean"


async def test_without_falco_it_is_skipped_never_passed(server: FakeServer) -> None:
    found = await check()
    assert (found["status"], found["passed"], found["skipped"]) == ("skipped", False, True)
    assert found["reason"].startswith("no Falco was found in the cluster")
    assert (found["falco_namespace"], found["label_selector"]) == ("falco", "app=falco")


async def test_switched_off_it_is_skipped(
    cluster: Cluster, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.falco()
    monkeypatch.setenv("SECURITY_FALCO_ENABLED", "false")
    found = await check()
    assert (found["status"], found["reason"]) == ("skipped", "switched off: security.falco_enabled")
    assert server.requests == []


@pytest.mark.parametrize("config", ["nowhere", "dead"])
async def test_without_a_cluster_it_is_skipped(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, config: str
) -> None:
    dead = server.kubeconfig(cluster={"server": "http://127.0.0.1:9"})
    monkeypatch.setenv("KUBECONFIG", str(dead if config == "dead" else tmp_path / "none"))
    found = await check()
    assert found["status"] == "skipped"
    assert found["reason"].startswith("there is no cluster to ask")
    of_pipeline = await SecurityPipeline(Desk()).check_runtime_alerts("demo", core_api=object(), since_minutes=7)
    assert (of_pipeline["status"], of_pipeline["namespace_filter"]) == ("skipped", "demo")
    assert (of_pipeline["since_minutes"], of_pipeline["severity_threshold"]) == (8, "WARNING"), "the eighth has begun"


@pytest.mark.parametrize("path", ["/pods", "/log"])
async def test_what_may_not_be_read_is_errored(cluster: Cluster, server: FakeServer, path: str) -> None:
    cluster.falco()
    cluster.forbidden = path
    assert (await check())["status"] == "errored"


async def test_no_answer_in_time_is_errored(cluster: Cluster, server: FakeServer) -> None:
    cluster.falco()

    async def stuck(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/log"):
            await asyncio.sleep(60)
        return await cluster.serve(request)

    server.then(stuck)
    found = await check(timeout_seconds=1)
    assert found["status"] == "errored"
    assert "within 1 s" in found["reason"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"severity_threshold": "GRAVE"}, "'GRAVE' is none of DEBUG, INFORMATIONAL"),
        ({"minutes": -5}, "since_timestamp lies in the future"),
    ],
)
async def test_what_makes_no_sense_is_errored(server: FakeServer, options: dict[str, Any], reason: str) -> None:
    found = await check(**options)
    assert found["status"] == "errored"
    assert reason in found["reason"]


async def test_a_setting_that_is_wrong_is_errored(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEGIS_SECURITY__FALCO_ENABLED", "perhaps")
    assert (await check())["status"] == "errored"


async def test_a_moment_without_a_zone_is_utc_and_none_goes_back(cluster: Cluster, server: FakeServer) -> None:
    cluster.falco()
    naive = (datetime.now(UTC) - timedelta(minutes=3)).replace(tzinfo=None)
    found = await check_falco_alerts("demo", naive)
    assert found["since_timestamp"] == naive.isoformat() + "+00:00"
    found = await check_falco_alerts("demo", None, fallback_since_minutes=7)  # type: ignore[arg-type]  # as scripts do
    assert (found["status"], found["since_minutes"]) == ("clean", 7)
