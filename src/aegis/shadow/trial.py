"""One trial: production's fault in one arm, the fix in another, side by side, until the judge knows.

The order of a trial is the order of its safety: namespaces, fences, the proof that they hold, and only then copies of
production. Whatever happens, the arms are taken down before the verdict is given.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import IntEnum
from typing import Protocol

from aegis.errors import Conflict, Invalid, NotFound, Refused
from aegis.model.changes import Change, Fix
from aegis.model.diagnosis import Diagnosis
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.security import SecurityComparison
from aegis.model.symptom import Manner, Signature
from aegis.model.verdict import GateResult, Outcome, Verdict
from aegis.plugins import discover
from aegis.ports import Gate
from aegis.shadow import isolation, judge
from aegis.shadow.arm import Arm
from aegis.shadow.blame import blames, touches
from aegis.shadow.clone import CloneOptions, Plan, plan
from aegis.shadow.judge import Pair, Rules
from aegis.shadow.namespace import Shadow, arms, expiry
from aegis.shadow.probe import Place
from aegis.shadow.stage import copies, fence_off, furnish, make, release, touches_pods
from aegis.shadow.survey import Production, survey
from aegis.shadow.synthetic import Faker
from aegis.shadow.tools import TrialTools
from aegis.shadow.watching import Watched
from aegis.shadow.workloads import min_ready_seconds, owned_by, probe_horizon, startup_budget

ARMS = ("r", "c")
"""R, production as it is, and C, the candidate."""

_LONGEST = 600.0 + 1800.0 + 600.0
_DEPENDENCIES = 120.0
_PULL = 300.0


class Stage(IntEnum):
    """When a gate is judged."""

    STATIC = 1
    """Before a pod runs: on what the arms hold."""
    WATCH = 2
    """While the arms run; open until the judge knows."""
    AFTER = 3
    """On the running candidate, once the watch has found nothing against it."""
    ABSENT = 4
    """Not part of this trial; it says why."""


class StagedGate(Gate, Protocol):
    """A gate of a trial, and when its turn is."""

    stage: Stage
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRequest:
    """What to try.

    Attributes:
        incident: on whose behalf.
        shadow_id: stored by the caller before this is called; names the arms.
        target: what was reported, and whose failure is to be reproduced.
        fix: with its change set.
        diagnosis: how the target fails; where it does not say, production is read.
        reproduce: whether there is a failure to reproduce; without one the result says no regression, not fixed.
    """

    incident: str
    shadow_id: str
    target: ObjectRef
    fix: Fix
    diagnosis: Diagnosis | None = None
    reproduce: bool = True

    @property
    def changes(self) -> tuple[Change, ...]:
        """What the fix changes."""
        return self.fix.change_set.changes if self.fix.change_set else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResult:
    """What a trial found.

    Attributes:
        verdict: the decision with every gate.
        security: the arms' findings, before (R) and after (C); None where it did not come to that.
        ledger: what in the shadow was not as in production.
        signatures: how each arm failed, and how often.
    """

    verdict: Verdict
    security: SecurityComparison | None = None
    ledger: tuple[str, ...] = ()
    signatures: Mapping[str, tuple[tuple[Signature, int], ...]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Trial:
    """A trial under way: what gates look at.

    Attributes:
        request: what is tried.
        tools: the doors.
        places: the arms.
        production: as it was surveyed.
        plan: what was copied.
        rules: the thresholds.
        pair: both arms' counts, as last seen.
        manifests: the tried and changed objects of each arm, as the server holds them.
        tried: the pods of each arm that are tried, as last seen.
        security: set by the gate that compares.
    """

    request: TrialRequest
    tools: TrialTools
    places: Mapping[str, Place]
    production: Production
    plan: Plan
    rules: Rules
    pair: Pair
    manifests: dict[str, list[JsonObject]] = field(default_factory=dict)
    tried: dict[str, tuple[Json, ...]] = field(default_factory=dict)
    security: SecurityComparison | None = None


async def run_trial(request: TrialRequest, tools: TrialTools) -> TrialResult:
    """Try a fix. Takes minutes to half an hour (nominal), and leaves nothing behind.

    Raises:
        NotFound: if the target is not there.
        Refused: if the same workload is being tried already, or a rule of the actuator forbids the shadow.
        Unavailable: if all slots are taken, or the cluster does not answer.
    """
    diagnosed = request.diagnosis.signature if request.diagnosis else None
    production = await survey(tools, request.target, request.changes, diagnosed)
    if request.reproduce and production.signature is None:
        return _undecided(judge.REPRODUCTION, f"{request.target} does not fail in a way that a trial could reproduce")
    try:
        prepared = _prepare(request, tools, production)
    except Refused as error:
        return _undecided(isolation.GATE, error.message)
    shadow = Shadow(
        id=request.shadow_id,
        incident=request.incident,
        target=request.target,
        expires_at=expiry(datetime.now(UTC), longest=_LONGEST),
    )
    tools.progress("making the arms of the shadow", shadow=request.shadow_id)
    async with arms(shadow, ARMS, tools) as namespaces:
        purpose = shadow.purpose(ARMS)
        places = {
            arm: Place(tools=tools, purpose=purpose, arm=arm, namespace=namespace)
            for arm, namespace in namespaces.items()
        }
        trial = Trial(
            request=request,
            tools=tools,
            places=places,
            production=production,
            plan=prepared,
            rules=rules_for(production, request),
            pair=Pair(elapsed=0.0, r=judge.Tally(trials=0), c=judge.Tally(trials=0)),
        )
        return await _Run(trial).to_the_end()


def rules_for(production: Production, request: TrialRequest) -> Rules:
    """The thresholds for this workload."""
    tried = [obj for ref in production.found.subjects if (obj := production.known.get(ref)) is not None]
    signature = production.signature
    return Rules(
        crash=signature is None or signature.manner is Manner.CRASH,
        required=request.reproduce,
        give_up=judge.give_up_after(production.between_crashes),
        rollout_deadline=judge.rollout_deadline(
            startup_budget=max(map(startup_budget, tried), default=0.0), pull=_PULL
        ),
        stable_for=judge.stable_for(
            probe_horizon=max(map(probe_horizon, tried), default=0.0),
            min_ready_seconds=max(map(min_ready_seconds, tried), default=0.0),
        ),
    )


def _prepare(request: TrialRequest, tools: TrialTools, production: Production) -> Plan:
    """What to copy, and how.

    Raises:
        Refused: if a copy would reach into a node, or there is nothing to try.
    """
    limits, fields = tools.limits, touches(request.changes)
    options = CloneOptions(
        trials=limits.trials if tools.enforces_networks else 1,
        copy_secrets=limits.copy_secrets if tools.enforces_networks else (),
        keep_replicas="replicas" in fields,
        keep_placement=production.signature is not None and production.signature.manner is Manner.SCHEDULING,
    )
    services = [ref.name for ref in production.found.services]
    prepared = plan(production.found, production.known, Faker(secrets.token_bytes(32), services), options)
    if not prepared.subjects:
        raise Refused(f"there is no workload behind {request.target} to try")
    return prepared


def _undecided(gate: str, reason: str) -> TrialResult:
    open_gate = GateResult(gate=gate, outcome=Outcome.ERRORED, required=True, reason=reason, inconclusive=True)
    return TrialResult(verdict=judge.decide([open_gate]))


class _Run:
    """The course of one trial."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._tools = trial.tools
        self._progress = trial.tools.progress
        self._gates: list[GateResult] = []
        self._watched = self._watch()

    async def to_the_end(self) -> TrialResult:
        """All of it, the verdict included; only the arms stay for the caller to take down."""
        if await self._isolated() and await self._furnished() and await self._judged(Stage.STATIC):
            async with asyncio.TaskGroup() as group:
                tasks = self._watched.start(group)
                await self._run_pods()
                if await self._watch_until_known():
                    await self._judged(Stage.AFTER)
                for task in tasks:
                    task.cancel()
        return await self._result()

    async def _isolated(self) -> bool:
        self._progress("proving that the arms are cut off")
        places = list(self._trial.places.values())
        async with asyncio.TaskGroup() as group:
            for place in places:
                group.create_task(fence_off(place, self._trial.production.limit_ranges))
        addresses = isolation.production_addresses(self._trial.production.known, self._trial.production.pods)
        self._gates.append(await isolation.prove(places, addresses))
        return not self._gates[-1].inconclusive

    async def _furnished(self) -> bool:
        """Copy production into both arms, and make the changes in C."""
        trial, request = self._trial, self._trial.request
        self._progress("copying the workload", objects=len(trial.plan.objects))
        async with asyncio.TaskGroup() as group:
            for place in trial.places.values():
                group.create_task(furnish(place, trial.plan, trial.production.limit_ranges))
        later = touches_pods(request.changes)
        now = [change for change in request.changes if change not in later]
        if not await self._changed(now):
            return False
        for arm, place in trial.places.items():
            trial.manifests[arm] = await self._read_back(place)
        return True

    async def _changed(self, changes: Sequence[Change]) -> bool:
        """Make changes in C; where the server will not have them, that is what the rollout gate says."""
        gate = GateResult(gate=judge.ROLLOUT, outcome=Outcome.FAILED, required=True)
        try:
            await make(self._trial.places["c"], changes, self._trial.plan.ledger)
        except Invalid as error:
            self._gates.append(replace(gate, reason=f"the API server refuses the change: {error.message}"))
        except (Conflict, NotFound) as error:
            reason = f"the change does not apply in a shadow: {error.message}"
            self._gates.append(replace(gate, outcome=Outcome.ERRORED, inconclusive=True, reason=reason))
        else:
            return True
        return False

    async def _read_back(self, place: Place) -> list[JsonObject]:
        """The tried and the changed objects, as the server holds them now."""
        changed = [change.target for change in self._trial.request.changes]
        refs = dict.fromkeys([*self._trial.plan.subjects, *self._trial.plan.dependencies, *changed])
        found = [await self._tools.reader.find(ref.within(place.namespace)) for ref in refs]
        held = [obj for obj in found if obj is not None]
        pods = [{**obj, "metadata": {**obj["metadata"], "namespace": place.namespace}} for obj in self._bare_pods()]
        return [*held, *pods]

    def _bare_pods(self) -> list[JsonObject]:
        return [obj for obj in self._trial.plan.objects if obj.get("kind") == "Pod"]

    async def _judged(self, stage: Stage) -> bool:
        """Ask the gates of a stage; whether none of them decided against the fix."""
        for gate in self._staged(stage):
            self._gates.append(await gate.judge(self._trial))
        names = {gate.name for gate in self._staged(stage)}
        return not any(result.gate in names and result.outcome is Outcome.FAILED for result in self._gates)

    async def _run_pods(self) -> None:
        trial, prepared = self._trial, self._trial.plan
        if prepared.dependencies:
            self._progress("starting what the workload depends on", workloads=len(prepared.dependencies))
            for place in trial.places.values():
                await release(place, prepared, prepared.dependencies)
            await self._dependencies_ready()
        self._progress("starting both arms side by side", pods=self._watched.arms["c"].trials)
        self._watched.started = self._tools.now()
        async with asyncio.TaskGroup() as group:
            for place in trial.places.values():
                group.create_task(release(place, prepared, prepared.subjects))
        if later := touches_pods(trial.request.changes):
            await self._changed(later)
            self._watched.arms["c"].rebase()

    async def _dependencies_ready(self) -> None:
        """Give what is called a moment; it may be the very thing that is broken, so that is no condition."""
        dependencies = self._trial.plan.dependencies
        deadline = self._tools.now() + _DEPENDENCIES
        while self._tools.now() < deadline:
            objects = [
                await self._tools.reader.find(ref.within(place.namespace))
                for ref in dependencies
                for place in self._trial.places.values()
            ]
            if all(obj is not None and _has_ready_pods(obj) for obj in objects):
                return
            await asyncio.sleep(max(0.1, self._tools.real(5.0)))

    async def _watch_until_known(self) -> bool:
        """Wait until each gate of the watch is decided, or one is lost; whether all of them passed."""
        gates = self._staged(Stage.WATCH)
        told = 0.0
        while True:
            self._watched.changed.clear()
            self._trial.pair = self._watched.pair()
            self._trial.tried = {name: arm.pods for name, arm in self._watched.arms.items()}
            results = [await gate.judge(self._trial) for gate in gates]
            lost = any(_decided(result) and result.outcome in {Outcome.FAILED, Outcome.ERRORED} for result in results)
            if lost or all(_decided(result) for result in results):
                self._gates += results
                return not lost
            if self._tools.now() - told >= self._tools.cluster.time_scale:
                told = self._tools.now()
                self._tell()
            await self._next_event()

    async def _next_event(self) -> None:
        """The next event, or (since time itself decides too) a moment."""
        try:
            async with asyncio.timeout(min(1.0, max(0.05, self._tools.real(10.0)))):
                await self._watched.changed.wait()
        except TimeoutError:
            return

    def _tell(self) -> None:
        pair, rules = self._trial.pair, self._trial.rules
        if rules.crash:
            red = f"as it is: {pair.r.matching} of {rules.crashes_needed} crashes"
        else:
            red = f"as it is: {pair.r.symptomatic} of {pair.r.trials} pods fail"
        green = f"with the fix: {pair.c.ready} of {pair.c.trials} ready, {pair.c.crashes} crashes"
        self._progress(f"{red} · {green}, {pair.watched:.0f} s of {rules.at_least:.0f} s")

    async def _result(self) -> TrialResult:
        for stage in (Stage.STATIC, Stage.WATCH, Stage.AFTER):
            judged = {result.gate for result in self._gates}
            missing = [gate for gate in self._staged(stage) if gate.name not in judged and gate.required]
            self._gates += [judge.unfinished(gate.name, gate.weight) for gate in missing]
        for gate in self._staged(Stage.ABSENT):
            self._gates.append(await gate.judge(self._trial))
        for arm in self._watched.arms.values():
            arm.note_current()
        gaps = (*self._trial.plan.ledger.entries, *self._tools.cluster.gaps)
        return TrialResult(
            verdict=judge.decide(self._gates, gaps, incident=self._trial.request.reproduce),
            security=self._trial.security,
            ledger=tuple(self._trial.plan.ledger.entries),
            signatures={name: tuple(arm.signatures.items()) for name, arm in self._watched.arms.items()},
        )

    def _staged(self, stage: Stage) -> list[StagedGate]:
        found: tuple[StagedGate, ...] = discover("aegis.shadow.gates", StagedGate)
        return [gate for gate in found if gate.stage is stage]

    def _watch(self) -> Watched:
        trial, prepared = self._trial, self._trial.plan
        names = {
            name for ref in prepared.subjects if ref.kind == "Pod" for name in copies(ref.name, prepared.trials[ref])
        }
        owners = [ref for ref in prepared.subjects if ref.kind != "Pod"]

        def is_subject(pod: Json) -> bool:
            name = (pod.get("metadata") or {}).get("name")
            return name in names or any(owned_by(pod, ref.kind, ref.name) for ref in owners)

        def blamed(signature: Signature) -> bool:
            return blames(signature, trial.request.changes)

        return Watched(
            places=trial.places,
            arms={
                name: Arm(
                    name,
                    trials=sum(prepared.trials[ref] for ref in prepared.subjects),
                    is_subject=is_subject,
                    production=trial.production.signature,
                    blames=blamed,
                )
                for name in ARMS
            },
            subjects=owners,
            service=trial.request.target if trial.request.target.kind == "Service" else None,
            production=trial.production.signature,
            synthetic=bool(prepared.synthetic),
        )


def _decided(result: GateResult) -> bool:
    """A gate of the watch says that it is open by a SKIPPED that is inconclusive."""
    return not (result.outcome is Outcome.SKIPPED and result.inconclusive)


def _has_ready_pods(obj: Json) -> bool:
    status = obj.get("status") or {}
    ready = any(item.get("type") == "Ready" and item.get("status") == "True" for item in status.get("conditions") or [])
    return ready or int(status.get("readyReplicas") or 0) > 0 or obj.get("kind") in {"Job", "CronJob"}
