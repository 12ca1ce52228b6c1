"""Falco's gate on the local cluster, whose falco pods write down what pods really do."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from aegis.evidence import falco
from aegis.evidence.falco import AlertLog, FalcoPlace, Seen, find_falco
from aegis.falco.priority import Priority
from aegis.localcluster.kubelet import logs
from aegis.model.changes import Apply
from aegis.model.refs import JsonObject, ObjectRef
from aegis.model.verdict import Decision, GateResult, Outcome
from aegis.ports import Purpose
from aegis.shadow.gates.falco import PLUGIN
from aegis.shadow.probe import Place
from aegis.shadow.roll import Roll

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(120)]
watched = pytest.mark.parametrize("world", [True], indirect=True, ids=["falco"])

DAEMON_SET = ObjectRef(api_version="apps/v1", kind="DaemonSet", name="falco", namespace="falco")
QUIET = "import time; time.sleep(600)"
READING = """
import subprocess, time
while True:
    subprocess.run(["sh", "-c", "cat /etc/shadow | wc -c"], stdout=subprocess.DEVNULL)
    time.sleep(0.2)
"""
EXAMPLE = Path(__file__).parents[3] / "examples" / "incidents" / "shell-in-fix"


def pod(namespace: str, name: str, code: str, **spec: Any) -> JsonObject:
    container = {"name": "web", "image": "python:3.12-slim", "command": ["python", "-u", "-c", code]}
    metadata = {"name": name, "namespace": namespace, **spec.pop("metadata", {})}
    body = {"containers": [container], "terminationGracePeriodSeconds": 0, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body}


class Arms:
    """Two arms, made by hand: one pod of each on a node of its own."""

    def __init__(self, world: Any, shadow: str, **rules: Any) -> None:
        limits = world.tools.limits
        self.world = world
        self.tools = replace(world.tools, limits=replace(limits, falco=replace(limits.falco, **rules)))
        names = {arm: f"aegis-shadow-{shadow}-{arm}" for arm in "rc"}
        purpose = Purpose(kind="shadow", incident="inc-test", scope=tuple(names.values()))
        self.places = {
            arm: Place(tools=self.tools, purpose=purpose, arm=arm, namespace=name, roll=Roll())
            for arm, name in names.items()
        }

    async def run(self, **code: str) -> None:
        nodes = sorted(one["metadata"]["name"] for one in await self.world.driver.list("v1", "Node"))
        for (arm, place), node in zip(self.places.items(), nodes, strict=True):
            await place.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.namespace}})
            await place.create(pod(place.namespace, "web", code[arm], nodeName=node))
            await self.world.until(lambda place=place: self.is_running(place))

    async def is_running(self, place: Place) -> bool:
        found = await self.world.driver.find(
            ObjectRef(api_version="v1", kind="Pod", name="web", namespace=place.namespace)
        )
        place.roll.see(found)
        return bool(place.roll.residents[found["metadata"]["uid"]].containers)

    async def judge(self) -> GateResult:
        target = ObjectRef(api_version="v1", kind="Pod", name="web", namespace="shop")
        trial = SimpleNamespace(
            tools=self.tools, places=self.places, request=SimpleNamespace(target=target), scanned={}
        )
        return await PLUGIN.judge(trial)  # type: ignore[arg-type]  # what it looks at


async def falco_ready(world: Any, *, but: frozenset[str] = frozenset()) -> bool:
    """Whether it watches both nodes, and has for long enough that nobody doubts it."""
    found = await find_falco(world.driver)
    ready = [one for one in found.sentries if not one.lapses(datetime.now(UTC)) and one.uid not in but]
    return len({one.node for one in ready}) == 2 and len(found.sentries) == 2


async def falco_uids(world: Any) -> frozenset[str]:
    return frozenset(one.uid for one in (await find_falco(world.driver)).sentries)


@watched
async def test_what_a_candidate_does_vetoes_and_what_both_do_does_not(world: Any) -> None:
    await world.until(lambda: falco_ready(world))
    quiet, alone, alike = Arms(world, "quiet"), Arms(world, "alone"), Arms(world, "alike", threshold=Priority.NOTICE)
    await quiet.run(r=QUIET, c=QUIET)
    await alone.run(r=QUIET, c=READING)
    await alike.run(r=READING, c=READING)
    async with asyncio.TaskGroup() as group:
        judged = [group.create_task(arms.judge()) for arms in (quiet, alone, alike)]
    clean, dirty, same = (task.result() for task in judged)
    assert (clean.outcome, clean.reason, clean.measured) == (Outcome.PASSED, "", 0.0)
    assert "2 nodes for" in clean.coverage
    assert dirty.outcome is Outcome.FAILED
    assert "Warning: Read sensitive file untrusted" in dirty.reason
    assert (same.outcome, same.reason) == (Outcome.PASSED, "")
    assert "as without the fix" in same.coverage


@watched
async def test_a_falco_that_was_away_proves_nothing_and_text_is_read_too(world: Any) -> None:
    await world.until(lambda: falco_ready(world))
    away = Arms(world, "away")
    await away.run(r=QUIET, c=QUIET)
    before = await falco_uids(world)
    spec = {"containers": [{"name": "falco", "env": [{"name": "FALCO_JSON_OUTPUT", "value": "false"}]}]}
    patch = Apply(target=DAEMON_SET, patch={"spec": {"template": {"spec": spec}}})
    body = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "falco"}, **patch.patch}
    await world.driver.apply(DAEMON_SET, body, manager="test", force=True)
    await world.until(lambda: falco_ready(world, but=before))
    gate = await away.judge()
    assert (gate.outcome, gate.inconclusive) == (Outcome.ERRORED, True)
    assert "(re)started meanwhile" in gate.reason

    text = Arms(world, "text")
    await text.run(r=QUIET, c=READING)
    gate = await text.judge()
    assert gate.outcome is Outcome.FAILED
    assert "Sensitive file opened for reading by non-trusted program" in gate.reason


@watched
async def test_a_fix_that_spawns_a_shell_is_rejected(world: Any) -> None:
    await world.incident("shell-in-fix")
    await world.until(world.restarted("demo-shell-in-fix"))
    (change,) = yaml.safe_load((EXAMPLE / "fix" / "changes.yaml").read_text(encoding="utf-8"))
    target = ObjectRef(api_version="apps/v1", kind="Deployment", name="reporter", namespace="demo-shell-in-fix")
    result = await world.try_fix(target, Apply(target=target, patch=change["patch"]))
    assert (result.verdict.decision, result.verdict.reason) == (Decision.REJECT, "GateRejected")
    failed = [gate for gate in result.verdict.gates if gate.outcome is Outcome.FAILED]
    assert [gate.gate for gate in failed] == ["falco"]
    assert "Read sensitive file untrusted by /usr/bin/cat, started by sh in container reporter" in failed[0].reason
    assert await world.shadows() == []


LOGGING = """
import json, os, sys, time
def moment(): return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".000000000Z"
def alert(rule):
    fields = {"container.id": None, "k8s.ns.name": "shop", "proc.cmdline": "x" * 100}
    print(json.dumps({"rule": rule, "priority": "Warning", "output": "o", "output_fields": fields, "time": moment()}))
print("Sat Nov 21 12:00:00 2026: Falco version: 0.44.1")
run = sys.argv[1] if len(sys.argv) > 1 else ""
"""
TWICE = (
    LOGGING
    + """
first = not os.path.exists("/keep/ran")
open("/keep/ran", "w").close()
alert("first" if first else "second")
print(time.strftime("%H:%M:%S") + ".000000001: Notice A shell (user=root k8s.ns=shop)", file=sys.stderr, flush=True)
if first: sys.exit(1)
time.sleep(600)
"""
)
MANY = (
    LOGGING
    + """
time.sleep(1.1)
alert("lost")
for _ in range(5 * 64):
    print("chatter " * 256)
alert("kept")
sys.stdout.flush()
time.sleep(600)
"""
)


async def test_logs_as_the_kubelet_keeps_them(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for Falco: a run before, two pods on one node, what is no alert, and a log that is rotated away."""
    monkeypatch.setattr(logs, "SEGMENT_MAX", 1 << 18)
    monkeypatch.setattr(falco, "_STARTING", timedelta())
    labels = {"metadata": {"labels": {"app.kubernetes.io/name": "falco"}}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "watchers"}}
    keep: Any = {"volumes": [{"name": "keep", "emptyDir": {}}]}
    twice = pod("watchers", "twice", TWICE, **labels, **keep)
    twice["spec"]["containers"][0]["volumeMounts"] = [{"name": "keep", "mountPath": "/keep"}]
    roll = Roll()
    for obj in (namespace, twice, pod("watchers", "many", MANY, **labels)):
        await world.driver.create(obj)

    def everything(_: Seen) -> bool:
        return True

    async def read_all() -> dict[str, AlertLog]:
        found = await find_falco(world.driver, FalcoPlace(namespace="watchers"))
        read = {one.name: AlertLog(world.driver, one, roll.opened, everything) for one in found.sentries}
        for log in read.values():
            if log.sentry.started_at is not None:
                await log.read()
        return read

    async def told() -> bool:
        read = await read_all()
        rules = {one.alert.rule for log in read.values() for one in log.alerts}
        return {"second", "kept"} <= rules

    await world.until(told)
    read = await read_all()
    assert [one.alert.rule for one in read["twice"].alerts if not one.alert.from_text] == ["first", "second"]
    assert sum(one.alert.from_text for one in read["twice"].alerts) == 2
    assert read["twice"].faults == []
    many = read["many"]
    many.since = many.sentry.started_at  # type: ignore[assignment]  # it runs
    await many.check_whole()
    assert [one.alert.rule for one in many.alerts] == ["kept"]
    assert many.faults == ["the log of watchers/many was rotated meanwhile"]
