"""Failures of every manner, each with a fix that mends it: red and green are told apart by the symptom's own rule."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aegis.model.refs import JsonObject, ObjectRef
from aegis.model.symptom import Manner
from aegis.model.verdict import Decision, Outcome

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(120)]

MANIFESTS = Path(__file__).parent / "manifests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One failure: how to see it in a pod, what to try, how it shows."""

    name: str
    failing: Callable[[JsonObject], Any]
    target: tuple[str, str]
    change: Callable[[Any, ObjectRef], Any]
    manner: Manner


def waiting(word: str) -> Callable[[JsonObject], bool]:
    return lambda pod: any(word in str(one.get("state")) for one in statuses(pod))


def restarted(pod: JsonObject) -> bool:
    return any(one.get("restartCount") for one in statuses(pod))


def statuses(pod: JsonObject) -> list[JsonObject]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def unschedulable(pod: JsonObject) -> bool:
    return any(one.get("reason") == "Unschedulable" for one in (pod.get("status") or {}).get("conditions") or [])


def running_unready(pod: JsonObject) -> bool:
    return pod["metadata"].get("labels", {}).get("app") == "web" and "running" in str(statuses(pod))


def elsewhere(kind: str, name: str, target: ObjectRef) -> ObjectRef:
    api = "apps/v1" if kind == "Deployment" else "v1"
    return ObjectRef(api_version=api, kind=kind, name=name, namespace=target.namespace)


CASES = [
    Case(
        name="dependency",
        failing=running_unready,
        target=("Deployment", "web"),
        change=lambda refs, ref: refs.container(elsewhere("Deployment", "db", ref), image="nginx:1.27"),
        manner=Manner.NOT_READY,
    ),
    Case(
        name="config",
        failing=waiting("CreateContainerConfigError"),
        target=("Deployment", "web"),
        change=lambda refs, ref: refs.patched(
            elsewhere("ConfigMap", "settings", ref), {"op": "add", "path": "/data/MODE", "value": "live"}
        ),
        manner=Manner.CONFIG,
    ),
    Case(
        name="scheduling",
        failing=unschedulable,
        target=("Deployment", "web"),
        change=lambda refs, ref: refs.container(ref, resources={"requests": {"cpu": "100m"}}),
        manner=Manner.SCHEDULING,
    ),
    Case(
        name="pod",
        failing=waiting("ImagePull"),
        target=("Pod", "web"),
        change=lambda refs, ref: refs.patched(
            ref, {"op": "replace", "path": "/spec/containers/0/image", "value": "nginx:1.27"}
        ),
        manner=Manner.PULL,
    ),
    Case(
        name="liveness",
        failing=restarted,
        target=("Deployment", "web"),
        change=lambda refs, ref: refs.patched(
            ref,
            {"op": "replace", "path": "/spec/template/spec/containers/0/livenessProbe/httpGet/path", "value": "/"},
        ),
        manner=Manner.CRASH,
    ),
    Case(
        name="init",
        failing=restarted,
        target=("Deployment", "web"),
        change=lambda refs, ref: refs.patched(
            elsewhere("ConfigMap", "settings", ref), {"op": "replace", "path": "/data/colour", "value": "blue"}
        ),
        manner=Manner.CRASH,
    ),
]


async def begin(world: Any, name: str, failing: Callable[[JsonObject], Any]) -> None:
    await world.apply(MANIFESTS / f"{name}.yaml")

    async def shows() -> bool:
        return any(failing(pod) for pod in await world.driver.list("v1", "Pod", namespace=f"demo-{name}"))

    await world.until(shows)

    async def is_told() -> bool:
        """A probe's words change while a program starts: wait for those that stay."""
        events = await world.driver.list("v1", "Event", namespace=f"demo-{name}")
        return any("statuscode: 503" in str(event.get("message")) for event in events)

    if name == "dependency":
        await world.until(is_told)
        await asyncio.sleep(1)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_it_is_reproduced_and_mended(world: Any, refs: Any, case: Case) -> None:
    await begin(world, case.name, case.failing)
    kind, name = case.target
    api = "apps/v1" if kind == "Deployment" else "v1"
    target = ObjectRef(api_version=api, kind=kind, name=name, namespace=f"demo-{case.name}")
    result = await world.try_fix(target, case.change(refs, target))
    said = "\n".join([
        *world.said,
        *(f"{gate.gate} {gate.outcome} {gate.reason} {gate.coverage}" for gate in result.verdict.gates),
    ])
    assert result.verdict.decision is Decision.ACCEPT, said
    assert {signature.manner for signature, _ in result.signatures["r"]} == {case.manner}
    assert result.signatures["c"] == ()


async def test_a_fix_that_leaves_readiness_flapping(world: Any, refs: Any) -> None:
    await begin(world, "flapping", restarted)
    target = refs.deployment("web", "demo-flapping")
    result = await world.try_fix(target, refs.container(target, env=[{"name": "STAY", "value": "1"}]))
    health = next(gate for gate in result.verdict.gates if gate.gate == "health")
    assert result.verdict.decision is Decision.REJECT, world.said
    assert health.outcome is Outcome.FAILED
    assert "flaps" in health.reason


async def test_a_fix_that_only_takes_the_probe_away(world: Any, refs: Any) -> None:
    await begin(world, "dependency", running_unready)
    target = refs.deployment("web", "demo-dependency")
    change = refs.patched(target, {"op": "remove", "path": "/spec/template/spec/containers/0/readinessProbe"})
    result = await world.try_fix(target, change)
    smoke = next(gate for gate in result.verdict.gates if gate.gate == "smoke")
    assert result.verdict.decision is Decision.REJECT, world.said
    assert smoke.outcome is Outcome.FAILED
    assert "503" in smoke.reason
