"""One scenario of the demo, driven through the same flow as `aegis fix`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aegis.errors import Unavailable
from aegis.flows.decide import Reason
from aegis.flows.outcome import exit_status
from aegis.flows.remediation import open_incident, run
from aegis.interfaces.cli.approver import TerminalApprover
from aegis.interfaces.cli.demo_scenario import Expected, Scenario, manifests
from aegis.interfaces.cli.fix import read_given
from aegis.interfaces.cli.progress import StderrProgress
from aegis.interfaces.cli.targets import existing_target
from aegis.model.diagnosis import Confidence, Diagnosis
from aegis.model.incident import Incident
from aegis.model.refs import JsonObject, ObjectRef
from aegis.model.verdict import Outcome
from aegis.ports import ClusterWriter
from aegis.wiring import links

if TYPE_CHECKING:
    from aegis.flows.tools import Answer, Approver, Question
    from aegis.wiring import System

MANAGER = "kubectl"
"""As whom the manifests are applied: as `kubectl apply --server-side` does."""

_SYMPTOM_SECONDS = 900.0
_HEALTHY_SECONDS = 600.0
"""Nominal: images are pulled, and a fault takes its time; programs start no faster, so at least the following."""
_LEAST_SECONDS = 60.0
_PAUSE = 0.3
_SETTLED = 30.0
"""Nominal seconds for which the diagnosis must not change."""
_LEAST_SETTLED = 1.0
_GOOD_PAST = 1.5
"""Real seconds for which a good past lasts: the API's times have whole seconds, and a shorter one leaves no trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where a scenario plays.

    Attributes:
        system: AEGIS, connected to the demo's cluster.
        outside: the hands of those who break things: they do not go through the actuator.
        yes: answer yes.
        no_color: no colours.
        quiet: draw no panel where nobody is asked.
    """

    system: System
    outside: ClusterWriter
    yes: bool
    no_color: bool
    quiet: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MeddledApprover:
    """Somebody else changes production between the yes and the write."""

    approver: Approver
    meddle: Callable[[], Awaitable[None]]

    async def ask(self, question: Question) -> Answer:
        """The answer, after which production is another."""
        answer = await self.approver.ask(question)
        await self.meddle()
        return answer


async def play(stage: Stage, scenario: Scenario, progress: StderrProgress) -> JsonObject:
    """Break it, mend it as `aegis fix` does, and hold the end against the table: one item of the report."""
    began = time.monotonic()
    progress(scenario.title)
    system = stage.system
    *past, fault = scenario.steps
    for step in past:
        await _apply(stage.outside, step)
        progress("waiting until it works", target=scenario.target)
        await _until_healthy(system, await _target(system, scenario))
    await _apply(stage.outside, fault)
    target = await _target(system, scenario)
    progress("broken; waiting until it shows", target=scenario.target)
    await _until_failing(system, target)
    before = await _former(system, target)
    incident = await _remediate(stage, scenario, target, progress)
    item = report_item(scenario, incident, time.monotonic() - began)
    if incident.reason == Reason.ROLLED_BACK and await _former(system, target) != before:
        item |= {"passed": False, "message": f"{target} was taken back, but not to its exact former state"}
    wrong = "; ".join([*differences(item, scenario.expected), *filter(None, [incident.message])])
    as_expected = "as it must" if item["passed"] else f"NOT as it must: {wrong}"
    progress(f"ended {as_expected}", phase=incident.phase.value, reason=incident.reason or "none")
    return item


async def _former(system: System, target: ObjectRef) -> str:
    from aegis.model.drift import spec_hash

    return spec_hash(await system.reader.get(target))


async def _target(system: System, scenario: Scenario) -> ObjectRef:
    return await existing_target(system.reader, scenario.target.split("/"), scenario.namespace)


async def _remediate(stage: Stage, scenario: Scenario, target: ObjectRef, progress: StderrProgress) -> Incident:
    system = stage.system
    approver: Approver = TerminalApprover(
        links=links(system.settings, target), yes=stage.yes, no_color=stage.no_color, quiet=stage.quiet
    )
    if scenario.between is not None:
        between = scenario.between

        async def meddle() -> None:
            progress("somebody else changes production now", file=between.name)
            await _apply(stage.outside, between)

        approver = MeddledApprover(approver=approver, meddle=meddle)
    tools = system.tools(approver=approver, progress=progress)
    given = await read_given(tools, scenario.changes, scenario.namespace)
    return await run(tools, await open_incident(tools, target, given))


async def _apply(outside: ClusterWriter, path: Path) -> None:
    for ref, obj in manifests(path):
        await outside.apply(ref, obj, manager=MANAGER, force=True)


async def _until_healthy(system: System, target: ObjectRef) -> None:
    """Until everything that should be ready is, and has been for a while.

    Raises:
        Unavailable: if it does not become so.
    """
    from aegis.delivery.health import read_health

    longest = _real(system, _HEALTHY_SECONDS)
    deadline = time.monotonic() + longest
    since: float | None = None
    while time.monotonic() < deadline:
        health = await read_health(system.reader, target)
        if health is None or not health.good:
            since = None
        elif since is None:
            since = time.monotonic()
        elif time.monotonic() - since >= _GOOD_PAST:
            return
        await asyncio.sleep(_PAUSE)
    raise Unavailable(f"{target} did not become ready within {longest:.0f} s", hint="Is the machine overloaded?")


async def _until_failing(system: System, target: ObjectRef) -> None:
    """Until the diagnosis has been the same for a while: the first signs of a fault are not yet the fault.

    One that does not know why yet may still learn it: a program that is slow to start shows nothing for a while.

    Raises:
        Unavailable: if nothing fails.
    """
    settled = max(_LEAST_SETTLED, _SETTLED / system.cluster.time_scale)
    longest = _real(system, _SYMPTOM_SECONDS)
    deadline = time.monotonic() + longest
    seen, since = None, time.monotonic()
    while time.monotonic() < deadline:
        _, diagnosis = await system.investigate(target)
        look = (diagnosis.verdict, diagnosis.cause, diagnosis.signature)
        if look != seen:
            seen, since = look, time.monotonic()
        elif diagnosis.verdict is not Confidence.HEALTHY and time.monotonic() - since >= settled * _patience(diagnosis):
            return
        await asyncio.sleep(_PAUSE)
    raise Unavailable(f"{target} did not fail within {longest:.0f} s", hint="Is the machine overloaded?")


def _patience(diagnosis: Diagnosis) -> int:
    """How many times as long a diagnosis must stand that does not know why, or what to do about it."""
    if diagnosis.verdict is Confidence.INCONCLUSIVE:
        return 3
    return 1 if any(fix.change_set for fix in diagnosis.fixes) else 6


def _real(system: System, nominal: float) -> float:
    return max(_LEAST_SECONDS, nominal / system.cluster.time_scale)


def report_item(scenario: Scenario, incident: Incident, seconds: float) -> JsonObject:
    """One item of `kind: DemoReport`."""
    diagnosis, verdict = incident.diagnosis, incident.verdict
    root = diagnosis.root.to_dict() if diagnosis and diagnosis.root else None
    item: JsonObject = {
        "scenario": scenario.name,
        "incident": incident.id,
        "phase": incident.phase.value,
        "reason": incident.reason,
        "cause": diagnosis.cause if diagnosis else None,
        "root_cause": root,
        "decision": verdict.decision.value if verdict else None,
        "exit": exit_status(incident),
        "gates": [gate.to_dict() for gate in verdict.gates] if verdict else [],
        "message": incident.message,
        "duration_seconds": round(seconds, 1),
    }
    return {**item, "passed": not differences(item, scenario.expected)}


def differences(item: JsonObject, expected: Expected) -> list[str]:
    """In what an end is not as the table says."""
    root = item["root_cause"]
    wanted: Sequence[tuple[str, object, object]] = (
        ("phase", item["phase"], expected.phase),
        ("reason", item["reason"], expected.reason),
        ("decision", item["decision"], expected.decision),
        ("exit", item["exit"], expected.exit_status),
        ("cause", item["cause"], expected.cause or item["cause"]),
        ("root_cause", f"{root['kind']}/{root['name']}" if root else None, expected.root_cause or _same(root)),
    )
    found = [f"{name} is {seen}, not {should}" for name, seen, should in wanted if seen != should]
    if expected.gate and not _decided_against(item, expected.gate):
        found.append(f"the gate {expected.gate} did not decide against it")
    return found


def _same(root: JsonObject | None) -> str | None:
    return f"{root['kind']}/{root['name']}" if root else None


def _decided_against(item: JsonObject, gate: str) -> bool:
    return any(one["gate"] == gate and one["outcome"] == Outcome.FAILED.value for one in item["gates"])


async def shadows_left(system: System) -> list[str]:
    """Namespaces of shadows of this demo's incidents that are still there: none should be."""
    from aegis.shadow.namespace import INCIDENT, SELECTOR

    ours = {incident.id for incident in await system.incidents.list()}
    found = await system.reader.list("v1", "Namespace", labels=SELECTOR)
    return [str(one["metadata"]["name"]) for one in found if one["metadata"]["labels"].get(INCIDENT) in ours]
