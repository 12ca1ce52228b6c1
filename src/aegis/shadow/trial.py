"""One trial: production's fault in one arm, the fix in another, side by side, until the judge knows.

The order of a trial is the order of its safety: namespaces, fences, the proof that they hold, and only then copies of
production. Whatever happens, the arms are taken down before the verdict is given.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from aegis.errors import AegisError, Refused
from aegis.model.symptom import Manner
from aegis.model.verdict import GateResult, Outcome
from aegis.security.runner import Runner
from aegis.shadow import isolation, judge
from aegis.shadow.baseline import Baseline, baseline
from aegis.shadow.blame import touches
from aegis.shadow.case import ARMS, GOOD, Stage, StagedGate, Trial, TrialRequest, TrialResult
from aegis.shadow.clone import CloneOptions, Plan, plan
from aegis.shadow.closure import Closure, Known
from aegis.shadow.course import Course
from aegis.shadow.judge import Pair, Rules
from aegis.shadow.namespace import Remains, Shadow, arms, expiry
from aegis.shadow.probe import Place
from aegis.shadow.scanning import Scans
from aegis.shadow.survey import Production, survey
from aegis.shadow.synthetic import Faker
from aegis.shadow.tools import TrialTools
from aegis.shadow.workloads import min_ready_seconds, probe_horizon, startup_budget

__all__ = ["Stage", "StagedGate", "Trial", "TrialRequest", "TrialResult", "rules_for", "run_trial"]

_LONGEST = 600.0 + 1800.0 + 600.0
_PULL = 300.0
_PATIENCE = 20.0
"""Real seconds that a loaded machine may take to start an arm's pods."""

_SLOW = frozenset({Manner.NOT_READY, Manner.NO_ENDPOINTS, Manner.ADMISSION})
"""How a workload that is only starting looks too."""


async def run_trial(request: TrialRequest, tools: TrialTools) -> TrialResult:
    """Try a fix. Takes minutes to half an hour (nominal), and leaves nothing behind.

    Raises:
        NotFound: if the target is not there.
        Refused: if the same workload is being tried already, or a rule of the actuator forbids the shadow.
        Unavailable: if all slots are taken, or the cluster does not answer.
        AegisError: whatever else the cluster answers.
    """
    try:
        return await _run(request, tools)
    except* AegisError as errors:
        error = _first(errors)
    raise error


def _first(errors: BaseExceptionGroup[AegisError]) -> AegisError:
    """One of several errors that side by side tasks met: they mostly have one cause."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def _run(request: TrialRequest, tools: TrialTools) -> TrialResult:
    diagnosed = request.diagnosis.signature if request.diagnosis else None
    production = await survey(tools, request.target, request.changes, diagnosed)
    if request.reproduce and production.signature is None:
        return _undecided(judge.REPRODUCTION, f"{request.target} does not fail in a way that a trial could reproduce")
    copy = _copier(request, tools, production)
    try:
        prepared = copy(production.found, production.known)
    except Refused as error:
        return _undecided(isolation.GATE, error.message)
    if not prepared.subjects:
        return _undecided(isolation.GATE, f"there is no workload behind {request.target} to try")
    compared = await _compared(request, tools, production, copy)
    shadow = Shadow(
        id=request.shadow_id,
        incident=request.incident,
        target=request.target,
        expires_at=expiry(datetime.now(UTC), longest=_LONGEST),
    )
    tools.progress("making the arms of the shadow", shadow=request.shadow_id)
    trial = Trial(
        request=request,
        tools=tools,
        places=_places(shadow, tools, ARMS if compared.plan is None else (*ARMS, GOOD)),
        production=production,
        plan=prepared,
        baseline=compared,
        plans={} if compared.plan is None else {GOOD: compared.plan},
        rules=rules_for(production, request, tools.cluster.time_scale),
        pair=Pair(elapsed=0.0, r=judge.Tally(trials=0), c=judge.Tally(trials=0)),
        scans=Scans(runner=Runner(desk=tools.limits.security.desk)),
    )
    return await _in_arms(shadow, trial)


def _places(shadow: Shadow, tools: TrialTools, names: Sequence[str]) -> dict[str, Place]:
    purpose = shadow.purpose(names)
    return {arm: Place(tools=tools, purpose=purpose, arm=arm, namespace=shadow.namespace(arm)) for arm in names}


async def _compared(
    request: TrialRequest, tools: TrialTools, production: Production, copy: Callable[[Closure, Known], Plan]
) -> Baseline:
    """What the candidate is compared with: nothing, where there is nothing to run it for."""
    if not request.reproduce:
        return Baseline(absent="without an incident production as it is serves for that")
    if not tools.enforces_networks:
        return Baseline(absent="pods of this cluster are not kept apart: a third arm would disturb the others")
    return await baseline(tools, production, request.changes, copy)


async def _in_arms(shadow: Shadow, trial: Trial) -> TrialResult:
    """The course of the trial between the making of the arms and their end, which a verdict does not depend on.

    Raises:
        Remains: if the arms do not go, and there is no verdict.
    """
    results: list[TrialResult] = []
    try:
        async with arms(shadow, tuple(trial.places), trial.tools):
            results.append(await Course(trial).to_the_end())
    except Remains as error:
        if not results:
            raise
        verdict = replace(results[0].verdict, gaps=(*results[0].verdict.gaps, error.message))
        return replace(results[0], verdict=verdict)
    return results[0]


def rules_for(production: Production, request: TrialRequest, time_scale: float = 1.0) -> Rules:
    """The thresholds for this workload.

    Args:
        production: as it was surveyed.
        request: what is tried.
        time_scale: of the cluster. It divides delays, but programs start no faster: where it is not 1, what waits for a
            start waits a while of real time too.
    """
    tried = [obj for ref in production.found.subjects if (obj := production.known.get(ref)) is not None]
    manner = production.signature.manner if production.signature else Manner.CRASH
    patience = _PATIENCE * time_scale if time_scale > 1 else 0.0
    budget = max(map(startup_budget, tried), default=0.0)
    deadline = max(judge.rollout_deadline(startup_budget=budget, pull=_PULL), patience)
    standard = Rules()
    return Rules(
        crash=manner is Manner.CRASH,
        required=request.reproduce,
        give_up=judge.give_up_after(production.between_crashes),
        symptom_deadline=max(standard.symptom_deadline, patience),
        believed_after=deadline if manner in _SLOW else max(standard.believed_after, patience),
        rollout_deadline=deadline,
        stable_for=max(
            request.seconds or 0.0,
            judge.stable_for(
                probe_horizon=max(map(probe_horizon, tried), default=0.0),
                min_ready_seconds=max(map(min_ready_seconds, tried), default=0.0),
            ),
        ),
    )


def _copier(request: TrialRequest, tools: TrialTools, production: Production) -> Callable[[Closure, Known], Plan]:
    """What makes the plan of an arm: the same made-up values in all of them. It refuses what reaches into a node."""
    limits, fields = tools.limits, touches(request.changes)
    options = CloneOptions(
        trials=limits.trials if tools.enforces_networks else 1,
        copy_secrets=limits.copy_secrets if tools.enforces_networks else (),
        keep_replicas="replicas" in fields,
        keep_placement=production.signature is not None and production.signature.manner is Manner.SCHEDULING,
    )
    faker = Faker(secrets.token_bytes(32), [ref.name for ref in production.found.services])
    return lambda found, known: plan(found, known, faker, options)


def _undecided(gate: str, reason: str) -> TrialResult:
    open_gate = GateResult(gate=gate, outcome=Outcome.ERRORED, required=True, reason=reason, inconclusive=True)
    return TrialResult(verdict=judge.decide([open_gate]))
