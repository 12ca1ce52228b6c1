"""Measuring beside the watch: what a pod of ours may do wrong, and an arm that never gets ready."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aegis.errors import Unavailable
from aegis.model.refs import ObjectRef
from aegis.model.verdict import Outcome
from aegis.ports import Purpose
from aegis.shadow import measuring as module
from aegis.shadow.measuring import Measuring, Readings, Side
from aegis.shadow.probe import Place
from aegis.shadow.tools import TrialTools

REF = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
TEMPLATE = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {
        "containers": [
            {
                "name": "web",
                "image": "x",
                "ports": [{"containerPort": 80}],
                "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
            }
        ]
    },
}
POD = {"metadata": {"name": "web-1"}, "status": {"podIP": "10.0.0.9"}}


@pytest.fixture
def sides(fake: Any, tools: TrialTools) -> Callable[..., Side]:
    def make(arm: str, *, available: bool = True, ports: bool = True) -> Side:
        namespace = f"aegis-shadow-s1-{arm}"
        spec: Any = json.loads(json.dumps({"template": TEMPLATE}))
        if not ports:
            del spec["template"]["spec"]["containers"][0]["ports"]
        metadata = {"name": "web", "namespace": namespace}
        fake.put({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
        purpose = Purpose(kind="shadow", incident="i", scope=(namespace,))
        place = Place(tools=tools, purpose=purpose, arm=arm, namespace=namespace)
        return Side(place=place, subjects=[REF], broken=[], pods=lambda: [POD], available=lambda: available)

    return make


def report(*, seconds: float = 0.01, failed: int = 0, sent: int = 300) -> str:
    spread = [seconds * (1 + (n % 5) / 100) for n in range(sent - failed)]
    one = {"sent": sent, "failed": failed, "seconds": spread, "errors": {}}
    return json.dumps({"checks": {"port 80": one}, "stopped": ""})


async def outcomes(measuring: Measuring) -> dict[str, Outcome]:
    async with asyncio.TaskGroup() as group:
        tasks = measuring.start(group)
        await measuring.finished()
        for task in tasks:
            task.cancel()
    return {name: gate.outcome for name, gate in measuring.results.items()}


def measured(tools: TrialTools, candidate: Side, good: Side | None) -> Measuring:
    return Measuring(tools=tools, candidate=candidate, good=good, why_alone="nothing is known")


async def test_both_arms_are_asked_and_compared(fake: Any, tools: TrialTools, sides: Any) -> None:
    fake.log = lambda pod: report(seconds=0.03 if pod["metadata"]["namespace"].endswith("-c") else 0.01)
    found = await outcomes(measured(tools, sides("c"), sides("g")))
    assert found == {"errors": Outcome.PASSED, "latency": Outcome.FAILED}
    plans = [
        json.loads(obj["data"]["plan.json"])
        for (kind, _, name), obj in fake.objects.items()
        if kind == "ConfigMap" and name == "aegis-load-1"
    ]
    assert sorted(plan["turns"] for plan in plans) == [[0, 3], [1, 2]]


async def test_what_decides_nothing_is_asked_once_more(fake: Any, tools: TrialTools, sides: Any) -> None:
    fake.log = lambda _: report(failed=2)
    await outcomes(measured(tools, sides("c"), sides("g")))
    pods = {call[3] for call in fake.calls if call[0] == "create" and call[1] == "Pod"}
    assert pods == {"aegis-load-1", "aegis-load-2"}


@pytest.mark.parametrize(
    "said", ["", "garbage", "[]", '{"checks": {}}', '{"checks": {"port 80": {"sent": 1e9}}}', "9" * 99]
)
async def test_garbage_is_nobodys_answer(fake: Any, tools: TrialTools, sides: Any, said: str) -> None:
    fake.log = lambda _: said
    measuring = measured(tools, sides("c"), sides("g"))
    assert await outcomes(measuring) == dict.fromkeys(["errors", "latency"], Outcome.ERRORED)
    assert all(gate.reason.startswith("INFRA") and not gate.required for gate in measuring.results.values())


async def test_a_pod_that_hangs(fake: Any, tools: TrialTools, sides: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(pod: Any) -> None:
        pod["status"] = {"phase": "Running"}

    monkeypatch.setattr(module, "_STARTING", 0.1)
    monkeypatch.setattr(module, "_REAL_SECONDS", 0.05)
    fake.behaviour = hang
    measuring = measured(tools, sides("c"), None)
    assert await outcomes(measuring) == dict.fromkeys(["errors", "latency"], Outcome.ERRORED)
    assert "did not end within" in measuring.results["errors"].reason


async def test_an_arm_that_never_gets_ready_is_not_held_against_the_candidate(
    fake: Any, tools: TrialTools, sides: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REAL_GRACE", 0.1)
    fake.log = lambda _: report()
    measuring = measured(tools, sides("c"), sides("g", available=False))
    assert await outcomes(measuring) == {"errors": Outcome.PASSED, "latency": Outcome.SKIPPED}
    assert measuring.results["latency"].reason == "the last good revision did not become ready in the shadow"
    assert {call[2] for call in fake.calls} == {"aegis-shadow-s1-c"}


async def test_without_a_port_there_is_nothing_to_ask(fake: Any, tools: TrialTools, sides: Any) -> None:
    found = await outcomes(measured(tools, sides("c", ports=False), None))
    assert found == dict.fromkeys(["errors", "latency"], Outcome.SKIPPED)
    assert fake.calls == []


async def test_load_can_be_switched_off(fake: Any, tools: TrialTools, sides: Any) -> None:
    off = replace(tools, limits=replace(tools.limits, load=replace(tools.limits.load, requests=0)))
    assert await outcomes(measured(off, sides("c"), None)) == dict.fromkeys(["errors", "latency"], Outcome.SKIPPED)
    assert fake.calls == []


async def test_five_errors_of_the_provider_in_a_row_end_the_readings(
    fake: Any, tools: TrialTools, sides: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    async def refuse(*_: Any, **__: Any) -> Any:
        asked.append(1)
        raise Unavailable("the metrics server is down")

    monkeypatch.setattr(module, "_FASTEST_READING", 0.001)
    measuring = measured(tools, sides("c"), None)
    monkeypatch.setattr(fake, "list", refuse)
    await measuring._memory()
    assert len(asked) == 5
    assert measuring.readings.fault == "INFRA: the metrics server is down"


def test_a_moment_counts_once() -> None:
    readings = Readings()
    metrics = {
        "metadata": {"name": "web-1"},
        "timestamp": "2026-01-01T00:00:00Z",
        "containers": [{"name": "web", "usage": {"memory": "2Mi"}}, {"name": "idle", "usage": {}}],
    }
    readings.take(metrics)
    readings.take(metrics)
    readings.take({**metrics, "timestamp": "2026-01-01T00:00:15Z"})
    assert [amount for _, amount in readings.series["web"]["web-1"]] == [2 << 20, 2 << 20]
    assert list(readings.series) == ["web"]
