"""Does the running candidate answer? Asked from within its arm, by Wald's sequential test of its error rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aegis.errors import Unavailable
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.verdict import GateResult, Outcome
from aegis.shadow.case import Stage, Trial
from aegis.shadow.judge import SMOKE_WEIGHT
from aegis.shadow.probe import run_script
from aegis.shadow.smoke import Candidate, Counted, checks, counted
from aegis.shadow.statistics import Sequential, Sprt

_TIMEOUT, _PATIENCE, _DEADLINE = 2.0, 10.0, 300.0
_ROUNDS = 2
"""Too little to tell after 72 requests is asked as often again, once."""


class Smoke:
    """Requests to what the workload declares: its probe's path, else its port."""

    name = "smoke"
    required = True
    stage = Stage.AFTER
    order = 1
    weight = SMOKE_WEIGHT

    async def judge(self, trial: Trial) -> GateResult:
        """PASSED where every check is accepted, FAILED where one is rejected; SKIPPED where nothing listens."""
        asked = await self._checks(trial)
        if not asked:
            return GateResult(
                gate=self.name,
                outcome=Outcome.SKIPPED,
                required=False,
                reason="the workload declares no TCP port, so there is nothing to ask",
                weight=self.weight,
            )
        trial.tools.progress("asking the fixed workload for its health", checks=len(asked))
        try:
            return self._say(await self._ask(trial, asked))
        except Unavailable as error:
            gate = GateResult(gate=self.name, outcome=Outcome.ERRORED, required=True, weight=self.weight)
            return replace(gate, reason=error.message, inconclusive=True)

    async def _checks(self, trial: Trial) -> list[JsonObject]:
        place, tools = trial.places["c"], trial.tools
        candidates = []
        for ref in trial.plan.subjects:
            fixed = await tools.reader.find(ref.within(place.namespace))
            if fixed is not None:
                broken = next((obj for obj in trial.manifests["r"] if _is(obj, ref)), None)
                candidates.append(Candidate(fixed=fixed, broken=broken))
        services: list[JsonObject] = []
        if tools.enforces_networks:  # else pods are plain processes, and Services have no names there
            services = await tools.reader.list("v1", "Service", namespace=place.namespace)
        return checks(candidates, services, trial.tried["c"])

    async def _ask(self, trial: Trial, asked: Sequence[JsonObject]) -> list[Counted]:
        totals: dict[str, Counted] = {}
        for number in range(1, _ROUNDS + 1):
            open_checks = [check for check in asked if _is_open(totals.get(check["name"]))]
            if not open_checks:
                break
            plan = {
                "checks": open_checks,
                "requests": Sprt().clean_needed,
                "timeout": _TIMEOUT,
                "patience": _PATIENCE,
            }
            results = await run_script(
                trial.places["c"], name=f"aegis-smoke-{number}", script="smoke", plan=plan, deadline=_DEADLINE
            )
            for one in counted(results):
                totals[one.name] = totals[one.name].plus(one) if one.name in totals else one
        return list(totals.values())

    def _say(self, totals: Sequence[Counted]) -> GateResult:
        worst = max(totals, key=lambda one: one.failures / max(one.requests, 1))
        gate = GateResult(
            gate=self.name,
            outcome=Outcome.PASSED,
            required=True,
            measured=worst.failures / max(worst.requests, 1),
            threshold=Sprt().p1,
            unit="error rate",
            coverage="; ".join(f"{one.name}: {one.requests - one.failures} of {one.requests} good" for one in totals),
            weight=self.weight,
        )
        words = ", ".join(f"{count} x {word}" for word, count in worst.errors.items())
        if any(one.standing is Sequential.BAD for one in totals):
            return replace(gate, outcome=Outcome.FAILED, reason=f"{worst.name} answers badly: {words}")
        if any(one.standing is Sequential.GO_ON for one in totals):
            reason = f"too few requests to tell: {words}"
            return replace(gate, outcome=Outcome.ERRORED, reason=reason, inconclusive=True)
        return gate


def _is(obj: Json, ref: ObjectRef) -> bool:
    return (obj.get("kind"), (obj.get("metadata") or {}).get("name")) == (ref.kind, ref.name)


def _is_open(one: Counted | None) -> bool:
    return one is None or one.standing is Sequential.GO_ON


PLUGIN = Smoke()
