"""What Falco's logs say of a namespace: every way in which silence proves nothing, and what is found in spite of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from falco_logs import FalcoLogs, alert_line, at, falco_pod, stamp
from hypothesis import given
from hypothesis import strategies as st

from aegis.errors import PermissionDenied, Unavailable
from aegis.falco.priority import Priority
from aegis.model.refs import JsonObject, ObjectRef
from aegis.model.scan import Image, Manifests, Runtime, ScanResult, ScanStatus
from aegis.model.security import Category, Severity
from aegis.plugins import discover
from aegis.ports import Scanner
from aegis.security import runtime
from aegis.security.desk import Desk, ScanRules
from aegis.security.scanners.falco import PLUGIN

WEB, OTHER, GONE = "a" * 64, "b" * 64, "c" * 64
WINDOW = Runtime(namespace="demo", since=at(0), until=at(100))


def workload_pod(name: str, node: str, container: str, namespace: str = "demo", **metadata: Any) -> JsonObject:
    status = {"name": "web", "containerID": f"containerd://{container}", "state": {"running": {}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {}, **metadata},
        "spec": {"nodeName": node, "containers": [{"name": "web"}]},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }


@dataclass(slots=True)
class World(FalcoLogs):
    """A cluster as far as the scanner reads it."""

    others: dict[str, list[JsonObject]] = field(default_factory=dict)
    namespaces: dict[str, JsonObject] = field(default_factory=lambda: {"demo": {"kind": "Namespace"}})
    forbidden: set[str] = field(default_factory=set)

    async def list(
        self, api_version: str, kind: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> list[JsonObject]:
        if kind in self.forbidden:
            raise PermissionDenied(f"not permitted: list {kind}")
        if kind != "Pod":
            return self.others.get(kind, [])
        return await FalcoLogs.list(self, api_version, kind, namespace=namespace, labels=labels, fields=fields)

    async def find(self, ref: ObjectRef) -> JsonObject | None:  # type: ignore[override]  # of the port
        if ref.kind in self.forbidden:
            raise PermissionDenied(f"not permitted: get {ref.kind}")
        return self.namespaces.get(ref.name)

    def line(self, text: str, seconds: float = 2.0, node: str = "node-1") -> None:
        self.write(f"falco-{node}", text, seconds)

    async def scan(self, subject: Runtime = WINDOW, **rules: Any) -> ScanResult:
        desk = Desk(rules=ScanRules(**rules), reader=self, now=lambda: at(200))  # type: ignore[arg-type]  # a part of the port
        return await PLUGIN.scan(subject, desk)


@pytest.fixture
def world() -> World:
    """Two nodes, Falco on both, a pod of demo on the first."""
    made = World()
    for node in ("node-1", "node-2"):
        made.put(falco_pod(f"falco-{node}", node=node))
    made.pods.append(workload_pod("web", "node-1", WEB))
    return made


def of(container: str, seconds: float = 1.0, **more: Any) -> str:
    return alert_line(seconds, container=container[:12], process="cat", exe="/usr/bin/cat", **more)


def told(result: ScanResult) -> tuple[ScanStatus, int]:
    return result.status, len(result.findings)


def test_it_is_found_and_looks_at_what_runs() -> None:
    assert PLUGIN in discover("aegis.security.scanners", Scanner)
    assert PLUGIN.accepts(WINDOW)
    assert not PLUGIN.accepts(Manifests(objects=()))
    assert not PLUGIN.accepts(Image(reference="nginx"))


async def test_a_watched_silence_is_clean(world: World) -> None:
    world.line("Sat Nov 21 12:00:02 2026: Falco initialized with configuration file /etc/falco/falco.yaml")
    result = await world.scan()
    assert told(result) == (ScanStatus.CLEAN, 0), result.reason
    assert (result.coverage.expected, result.coverage.scanned) == (("node-1",), ("node-1",))
    assert result.details["lines"] == 1
    assert result.details["label_selectors"] == ["app.kubernetes.io/name=falco"]


async def test_an_alert_of_the_namespace_is_a_finding_however_often_it_came(world: World) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d9", "controller": True}
    labels = {"pod-template-hash": "7d9"}
    world.pods.append(workload_pod("web-7d9-x", "node-2", OTHER, ownerReferences=[owner], labels=labels))
    world.line(of(OTHER, 1, priority="Critical", output="password=hunter2 was read"), node="node-2")
    world.line(of(OTHER, 3), node="node-2")
    result = await world.scan()
    assert told(result) == (ScanStatus.FINDINGS, 1)
    (finding,) = result.findings
    assert (finding.severity, finding.category) == (Severity.CRITICAL, Category.RUNTIME)
    assert str(finding.subject) == "Deployment/web in demo"
    assert finding.location == "/usr/bin/cat"
    assert finding.title == "Critical: Read sensitive file untrusted"
    assert finding.description.startswith("2 times, from 12:00:01 to 12:00:03 UTC: ")
    assert "hunter2" not in str(result.to_dict())
    assert result.details["by_priority"] == {"Critical": 1, "Warning": 1}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (of(GONE, ns="demo"), ScanStatus.FINDINGS),
        (of(WEB), ScanStatus.FINDINGS),
        (of(WEB, ns="demo-prod"), ScanStatus.FINDINGS),
        (of(GONE, ns="demo-prod"), ScanStatus.CLEAN),
        (of(GONE, ns="dem"), ScanStatus.CLEAN),
        (of(GONE, ns="Demo"), ScanStatus.CLEAN),
        (of(GONE), ScanStatus.PARTIAL),
        (alert_line(1), ScanStatus.PARTIAL),
        (alert_line(1, container="host"), ScanStatus.CLEAN),
        (of(GONE, priority="Notice"), ScanStatus.CLEAN),
        (of(GONE, ns="demo", priority="Notice"), ScanStatus.CLEAN),
        (of(GONE, ns="demo", priority="WARNING"), ScanStatus.FINDINGS),
        (of(GONE, ns="demo", priority="emergency"), ScanStatus.FINDINGS),
        (of(GONE, ns="demo", source="k8s_audit"), ScanStatus.CLEAN),
        ("12:00:01.5: Warning Opened | container_id=cccccccccccc k8s_ns_name=demo", ScanStatus.FINDINGS),
        ("12:00:01.5: Warning Opened (k8s.ns=demo container=cccccccccccc)", ScanStatus.FINDINGS),
        ("12:00:01.5: Warning Opened | container_id=aaaaaaaaaaaa k8s_ns_name=<NA>", ScanStatus.FINDINGS),
        ("12:00:01.5: Warning Opened | container_id=cccccccccccc k8s_ns_name=demo-prod", ScanStatus.CLEAN),
        ("12:00:01.5: Warning Opened | container_id=cccccccccccc k8s_ns_name=<NA>", ScanStatus.PARTIAL),
        ("12:00:01.5: Warning Opened | command=x k8s_ns_name=z k8s_ns_name=demo", ScanStatus.PARTIAL),
        ("12:00:01.5: Warning Opened | command=x k8s_ns_name=elsewhere", ScanStatus.PARTIAL),
        ("12:00:01.5: Notice alert: Warning | container_id=cccccccccccc k8s_ns_name=demo", ScanStatus.CLEAN),
    ],
)
async def test_whose_an_alert_is_and_whether_it_counts(world: World, line: str, expected: ScanStatus) -> None:
    world.line(line)
    assert (await world.scan()).status is expected


@pytest.mark.parametrize(
    ("seconds", "inside"), [(-0.000001, False), (0, True), (50, True), (100, True), (100.000001, False), (-1, False)]
)
async def test_the_window_is_of_the_events_own_time_to_the_microsecond(
    world: World, seconds: float, *, inside: bool
) -> None:
    """When the line was written does not matter: each is written at the window's half."""
    world.line(alert_line(ns="demo", time=stamp(at(seconds))), seconds=50)
    assert (await world.scan()).status is (ScanStatus.FINDINGS if inside else ScanStatus.CLEAN)


@pytest.mark.parametrize(
    ("clock", "written", "inside"),
    [
        ("11:59:59.999999999", 1, False),
        ("12:00:00.000000000", 1, True),
        ("12:01:40.000000000", 101, True),
        ("12:01:40.000000001", 101, False),
        ("17:30:10.000000000", 12, True),
        ("06:14:59.000000000", 1, False),
    ],
    ids=["before", "first", "last", "after", "of another zone", "before, of another zone"],
)
async def test_a_text_without_a_date_happened_at_its_clocks_time(
    world: World, clock: str, written: float, *, inside: bool
) -> None:
    world.line(f"{clock}: Warning Opened | container_id=aaaaaaaaaaaa k8s_ns_name=demo", seconds=written)
    assert (await world.scan()).status is (ScanStatus.FINDINGS if inside else ScanStatus.CLEAN)


async def test_the_threshold_is_the_desks(world: World) -> None:
    world.line(of(WEB, priority="Notice"))
    assert told(await world.scan()) == (ScanStatus.CLEAN, 0)
    result = await world.scan(falco_threshold=Priority.NOTICE)
    assert told(result) == (ScanStatus.FINDINGS, 1)
    assert result.details["below_threshold"] == 0


async def test_without_falco_it_is_skipped_and_says_what_to_do() -> None:
    result = await World(pods=[workload_pod("web", "node-1", WEB)]).scan()
    assert result.status is ScanStatus.SKIPPED
    assert result.reason.startswith("no Falco was found in the cluster")
    assert "security.falco_namespace" in result.reason
    assert (await PLUGIN.probe(Desk())).absent


async def test_a_pod_that_only_calls_itself_falco_in_a_shadow_is_none() -> None:
    world = World()
    world.put(falco_pod(namespace="aegis-shadow-x-c"))
    assert (await world.scan()).status is ScanStatus.SKIPPED


async def test_a_node_without_falco_is_not_covered(world: World) -> None:
    world.pods.append(workload_pod("web-2", "node-3", OTHER))
    result = await world.scan()
    assert result.status is ScanStatus.PARTIAL
    assert result.coverage.missing == ("node-3",)
    assert "no Falco watches node-3" in result.reason


async def test_one_falco_of_a_node_that_saw_everything_is_enough(world: World) -> None:
    world.put(falco_pod("falco-2", ready=None))
    assert (await world.scan()).status is ScanStatus.CLEAN
    world.write("falco-2", of(WEB))
    assert told(await world.scan()) == (ScanStatus.FINDINGS, 1), "and what the other one saw counts all the same"


async def test_a_pod_that_is_gone_leaves_its_node_to_be_covered(world: World) -> None:
    event = {"reason": "Scheduled", "message": "Successfully assigned demo/x to node-9", "lastTimestamp": stamp(at(1))}
    world.others["Event"] = [event]
    assert (await world.scan()).coverage.missing == ("node-9",)
    world.others["Event"] = [{**event, "lastTimestamp": stamp(at(150))}]
    assert (await world.scan()).status is ScanStatus.CLEAN
    world.forbidden.add("Event")
    result = await world.scan()
    assert result.status is ScanStatus.CLEAN
    assert result.coverage.notes[0].startswith("events may not be listed")


async def test_an_empty_namespace_needs_every_node(world: World) -> None:
    world.pods.pop()
    world.others["Node"] = [{"metadata": {"name": name}} for name in ("node-1", "node-2")]
    result = await world.scan()
    assert (result.status, result.coverage.expected) == (ScanStatus.CLEAN, ("node-1", "node-2"))
    world.others["Node"].append({"metadata": {"name": "node-3"}})
    assert (await world.scan()).coverage.missing == ("node-3",)


async def test_a_namespace_that_is_not_there_is_never_clean(world: World) -> None:
    result = await world.scan(Runtime(namespace="dmeo", since=at(0), until=at(1)))
    assert (result.status, result.reason) == (ScanStatus.ERROR, "there is no namespace dmeo")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (alert_line(3, rule="Falco internal: syscall event drop", source="internal"), "Falco dropped events on node-1"),
        ("12:00:03.0: Debug Falco internal: syscall event drop. 3 system calls dropped", "Falco dropped events"),
        ('{"rule":"A","priority":"Warning"', "lines that cannot be read"),
        ('{"rule":"A","priority":"Grave","output":"o","time":"2024-11-21T12:00:03Z"}', "lines that cannot be read"),
    ],
)
async def test_what_may_have_gone_unseen_is_partial(world: World, line: str, reason: str) -> None:
    world.line(line)
    result = await world.scan()
    assert (result.status, result.coverage.scanned) == (ScanStatus.PARTIAL, ())
    assert reason in result.reason
    world.line(of(WEB))
    assert told(await world.scan()) == (ScanStatus.PARTIAL, 1), "and hides no alert"


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        ({"started": at(10), "ready": at(11), "restarts": 1}, "(re)started meanwhile"),
        ({"ready": None}, "is not ready"),
        ({"ready": at(10)}, "was not ready all the time"),
    ],
)
async def test_a_falco_that_was_away_is_partial(pod: dict[str, Any], reason: str) -> None:
    world = World(pods=[workload_pod("web", "node-1", WEB)])
    world.put(falco_pod("falco-node-1", **pod))
    world.previous["falco-node-1"] = [(at(1), of(WEB, 1))]
    result = await world.scan()
    assert result.status is ScanStatus.PARTIAL
    assert reason in result.reason
    assert len(result.findings) == (1 if "restarts" in pod else 0), "the run before is read too"


@pytest.mark.parametrize(
    ("made", "status"), [(15, ScanStatus.CLEAN), (9, ScanStatus.PARTIAL), (None, ScanStatus.PARTIAL)]
)
async def test_a_namespace_had_to_be_watched_only_since_it_was_made(made: float | None, status: ScanStatus) -> None:
    world = World(pods=[workload_pod("web", "node-1", WEB)])
    world.put(falco_pod("falco-node-1", started=at(11), ready=at(12)), head=at(11))
    if made:
        world.namespaces["demo"] = {"metadata": {"creationTimestamp": at(made).strftime("%Y-%m-%dT%H:%M:%SZ")}}
    assert (await world.scan()).status is status
    world.forbidden.add("Namespace")
    assert (await world.scan()).status is ScanStatus.PARTIAL


async def test_a_rotated_log_is_partial() -> None:
    world = World(pods=[workload_pod("web", "node-1", WEB)])
    world.put(falco_pod("falco-node-1"), head=at(15))
    result = await world.scan()
    assert result.status is ScanStatus.PARTIAL
    assert "rotated meanwhile" in result.reason


@pytest.mark.parametrize("error", [Unavailable("500 Internal Server Error"), PermissionDenied("get pods/log")])
async def test_a_log_that_cannot_be_read_is_partial(world: World, error: Exception) -> None:
    world.errors["falco-node-1"] = error
    result = await world.scan()
    assert result.status is ScanStatus.PARTIAL
    assert "cannot be read" in result.reason


async def test_a_container_of_somebody_else_is_nobodys_riddle(world: World) -> None:
    world.line(of(OTHER))
    assert (await world.scan()).status is ScanStatus.PARTIAL
    world.pods.append(workload_pod("x", "node-1", OTHER, namespace="prod"))
    assert (await world.scan()).status is ScanStatus.CLEAN


async def test_where_pods_may_not_be_listed_it_is_an_error(world: World) -> None:
    world.forbidden.add("Pod")
    result = await world.scan()
    assert (result.status, result.reason) == (ScanStatus.ERROR, "not permitted: list Pod")


async def test_time_that_runs_out_is_a_timeout(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(*_: Any) -> str:
        await asyncio.sleep(60)
        return ""

    monkeypatch.setattr(World, "logs", stuck)
    result = await world.scan(timeouts={"falco": 0.05})
    assert result.status is ScanStatus.TIMEOUT


@pytest.mark.parametrize("subject", [Runtime(namespace="demo", since=at(1), until=at(1)),
                                     Runtime(namespace="demo", since=at(0), until=at(900))])  # fmt: skip
async def test_a_window_that_is_none_is_an_error(world: World, subject: Runtime) -> None:
    assert (await world.scan(subject)).status is ScanStatus.ERROR


async def test_what_happened_just_now_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Falco writes a moment later: a line that comes within that moment still counts."""
    now = datetime.now(UTC)
    monkeypatch.setattr(runtime, "SETTLED", 0.2)
    async with asyncio.TaskGroup() as group:
        desk = Desk(reader=world, now=lambda: now)  # type: ignore[arg-type]  # a part of the port
        subject = Runtime(namespace="demo", since=now - timedelta(seconds=5), until=now)
        scan = group.create_task(PLUGIN.scan(subject, desk))
        await asyncio.sleep(0)
        world.lines["falco-node-1"].append((now, alert_line(ns="demo", time=stamp(now))))
    assert scan.result().status is ScanStatus.FINDINGS


async def test_a_flood_is_bounded_and_still_a_finding(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_MOST_KEPT", 5)
    for number in range(20):
        world.line(of(WEB, number), seconds=number)
    result = await world.scan()
    assert result.findings
    assert result.details["alert_count"] == 5
    assert "20 alerts: only 5 of them were kept" in result.coverage.notes


@given(
    namespaces=st.lists(st.sampled_from(["demo", "demo-prod", "prod", None, ""]), max_size=6),
    seconds=st.lists(st.integers(-50, 150), min_size=6, max_size=6),
    lost=st.booleans(),
)
async def test_clean_is_said_only_of_a_namespace_that_did_nothing(
    namespaces: list[str | None], seconds: list[int], *, lost: bool
) -> None:
    world = World(pods=[workload_pod("web", "node-1", WEB)])
    world.put(falco_pod("falco-node-1"))
    for number, (namespace, second) in enumerate(zip(namespaces, seconds, strict=False)):
        world.line(of(GONE, second, ns=namespace), seconds=max(second, 0) + number / 1000)
    if lost:
        world.line(alert_line(3, rule="Falco internal: syscall event drop", source="internal"))
    inside = [one for one, second in zip(namespaces, seconds, strict=False) if 0 <= second <= 100]
    result = await world.scan()
    assert result.details["alert_count"] == inside.count("demo")
    assert (result.status is ScanStatus.CLEAN) == (not lost and not {"demo", None, ""} & set(inside))
