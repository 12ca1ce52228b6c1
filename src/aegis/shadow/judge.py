"""The judge: what a trial's counts mean. Pure: it sees numbers and nominal seconds, never a clock or a cluster.

Two arms run side by side: R, the workload as it is (broken), and C, the same with the fix. A fix is believed when R fails
as production fails and C, exposed just as long, does not:

* *crashes* are counted sequentially: R's pods crash seven times in total, C's never. Were C as bad as R, seven to none
  would have the chance 2^-7 = 0.8 %, whatever the time between crashes is;
* *other symptoms* must show in every pod of R and in none of C (Fisher's exact test: 5 of 5 against 0 of 5 is .004).

Nothing seen is never a pass: a rule that is not fulfilled in time says *inconclusive*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aegis.model.verdict import Decision, GateResult, Outcome, Verdict
from aegis.shadow.comparison import COMPONENTS
from aegis.shadow.statistics import fisher_one_sided

STABILITY_WEIGHT = 30
REPRODUCTION_WEIGHT = 20
SMOKE_WEIGHT = 15

ROLLOUT, REPRODUCTION, HEALTH = "rollout", "reproduction", "health"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The thresholds, in nominal seconds; the defaults are the product's and only tests change them.

    Attributes:
        crash: whether the symptom is crashing (else every pod must show it).
        crashes_needed: crashes of R in total, with none of C.
        at_least: C is watched at least so long.
        at_most: then a trial that decided nothing ends.
        give_up: R, healthy so long, will not fail: `max(600, 3 x the time between crashes in production)`.
        symptom_deadline: by then R must show a symptom that is no crash.
        believed_after: a symptom that C shows in every pod is believed only then; before, it may still be starting.
        rollout_deadline: by then C must be available.
        stable_for: C must be ready without a break so long, at the end.
        transitions: so many changes of readiness of one pod are flapping.
        alpha: the highest chance at which a difference between the arms is believed.
        required: whether reproduction is needed at all; not for a shadow that is verified without an incident.
    """

    crash: bool = True
    crashes_needed: int = 7
    at_least: float = 180.0
    at_most: float = 1800.0
    give_up: float = 600.0
    symptom_deadline: float = 300.0
    believed_after: float = 180.0
    rollout_deadline: float = 600.0
    stable_for: float = 120.0
    transitions: int = 3
    alpha: float = 0.05
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What one arm has shown so far.

    Attributes:
        trials: how many pods are tried.
        crashes: how often containers ended that should go on.
        matching: how many of these crashes show production's signature.
        matched_at: when each of these was seen, in nominal seconds since the arms were started, in order.
        symptomatic: how many trials show production's symptom now (for symptoms that are no crashes).
        ready: how many trials are ready now.
        transitions: changes of readiness, after it was first reached, of the pod with the most.
        replaced: pods that the cluster took away, for no fault of theirs.
        available_at: when all trials were first available; None: not yet.
        stable_for: for how long all trials have been ready without a break.
        infrastructure: causes of failure that are not the workload's, in words.
    """

    trials: int
    crashes: int = 0
    matching: int = 0
    matched_at: tuple[float, ...] = ()
    symptomatic: int = 0
    ready: int = 0
    transitions: int = 0
    replaced: int = 0
    available_at: float | None = None
    stable_for: float = 0.0
    infrastructure: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Both arms at one moment.

    Attributes:
        elapsed: nominal seconds since both were started.
        r: production as it is.
        c: the candidate.
        artefact: why a failure of C may be the shadow's own making; empty where it is the fix's.
    """

    elapsed: float
    r: Tally
    c: Tally
    artefact: str = ""

    @property
    def watched(self) -> float:
        """For how long C has been watched since it was first available."""
        return 0.0 if self.c.available_at is None else max(0.0, self.elapsed - self.c.available_at)

    @property
    def ran(self) -> float:
        """For how long R has run since it was first available."""
        return 0.0 if self.r.available_at is None else max(0.0, self.elapsed - self.r.available_at)


def stable_for(*, probe_horizon: float = 0.0, min_ready_seconds: float = 0.0) -> float:
    """How long C must be ready without a break.

    Args:
        probe_horizon: the longest `periodSeconds x failureThreshold` of the workload's probes: a fault shows by then.
        min_ready_seconds: of the workload.
    """
    return max(120.0, 2 * probe_horizon, min_ready_seconds)


def give_up_after(time_between_crashes: float | None) -> float:
    """How long R may run healthily before its failure is held to be not reproducible."""
    return max(600.0, 3 * (time_between_crashes or 0.0))


def rollout_deadline(*, startup_budget: float = 0.0, pull: float = 0.0) -> float:
    """By when C must be available: what its startup probes allow and a pull takes, at least ten minutes."""
    return max(600.0, startup_budget + pull)


def rollout(pair: Pair, rules: Rules) -> GateResult | None:
    """Whether C rolls out; None while that is open."""
    gate = GateResult(
        gate=ROLLOUT,
        outcome=Outcome.PASSED,
        required=True,
        measured=round(pair.elapsed if pair.c.available_at is None else pair.c.available_at, 1),
        threshold=rules.rollout_deadline,
        unit="s",
        coverage=f"{pair.c.ready} of {pair.c.trials} pods ready",
    )
    if pair.c.available_at is not None:
        return replace(gate, coverage=f"{pair.c.trials} of {pair.c.trials} pods available")
    if pair.elapsed < rules.rollout_deadline:
        return None
    if pair.c.infrastructure:
        return _open(gate, "; ".join(pair.c.infrastructure))
    return replace(gate, outcome=Outcome.FAILED, reason="the fixed workload did not become available in time")


def reproduction(pair: Pair, rules: Rules) -> GateResult | None:
    """Red, then green: whether R fails as production does and C does not; None while that is open."""
    if not rules.required:
        return GateResult(
            gate=REPRODUCTION,
            outcome=Outcome.SKIPPED,
            required=False,
            reason="no incident to reproduce: the result says no regression, not fixed",
        )
    return _crashes(pair, rules) if rules.crash else _symptoms(pair, rules)


def _crashes(pair: Pair, rules: Rules) -> GateResult | None:
    gate = GateResult(
        gate=REPRODUCTION,
        outcome=Outcome.PASSED,
        required=True,
        measured=float(pair.r.matching),
        threshold=float(rules.crashes_needed),
        unit="crashes",
        coverage=f"{pair.r.matching} crashes of {pair.r.trials} pods as it is, {pair.c.crashes} with the fix, "
        f"{pair.watched:.0f} s",
        weight=REPRODUCTION_WEIGHT,
    )
    if pair.c.crashes:
        if pair.artefact:
            return _open(gate, pair.artefact)
        return replace(gate, outcome=Outcome.FAILED, reason="the fixed workload crashes too")
    if pair.r.matching >= rules.crashes_needed:
        return gate if pair.watched >= max(rules.at_least, _decisive(pair, rules)) else None
    return _without_crashes(gate, pair, rules)


def _decisive(pair: Pair, rules: Rules) -> float:
    """When R crashed often enough: C, which may have started later, must have run for as long as R had by then.

    Else R has a head start: what crashes every N seconds would have done so in R, and not yet in C.
    """
    return pair.r.matched_at[rules.crashes_needed - 1] if len(pair.r.matched_at) >= rules.crashes_needed else 0.0


def _without_crashes(gate: GateResult, pair: Pair, rules: Rules) -> GateResult | None:
    """R has not crashed often enough yet: go on, or give up."""
    foreign = pair.r.crashes - pair.r.matching
    if foreign >= rules.crashes_needed and not pair.r.matching:
        return _open(gate, "the broken workload fails in the shadow, but not as it fails in production")
    if not pair.r.crashes and pair.r.available_at is None and pair.elapsed >= rules.rollout_deadline + rules.give_up:
        return _open(gate, "the broken workload neither ran nor crashed in the shadow")
    if pair.r.infrastructure and pair.elapsed >= rules.rollout_deadline:
        return _open(gate, "; ".join(pair.r.infrastructure))
    if not pair.r.crashes and pair.ran >= rules.give_up:
        return _open(gate, f"the broken workload ran for {pair.ran:.0f} s in the shadow without failing")
    if pair.elapsed >= rules.at_most + (pair.c.available_at or 0.0):
        return _open(gate, f"{pair.r.matching} of {rules.crashes_needed} crashes in the longest time allowed")
    return None


def _symptoms(pair: Pair, rules: Rules) -> GateResult | None:
    chance = fisher_one_sided(pair.r.symptomatic, pair.r.trials, pair.c.symptomatic, pair.c.trials)
    gate = GateResult(
        gate=REPRODUCTION,
        outcome=Outcome.PASSED,
        required=True,
        measured=round(chance, 4),
        threshold=rules.alpha,
        unit="p",
        coverage=f"{pair.r.symptomatic} of {pair.r.trials} pods fail as it is, "
        f"{pair.c.symptomatic} of {pair.c.trials} with the fix, {pair.watched:.0f} s",
        weight=REPRODUCTION_WEIGHT,
    )
    red = 0 < pair.r.trials == pair.r.symptomatic
    if red and not pair.c.symptomatic and pair.c.stable_for >= rules.stable_for:
        return gate if chance <= rules.alpha else _open(gate, "too few pods to tell the arms apart")
    if red and 0 < pair.c.trials == pair.c.symptomatic and pair.elapsed >= rules.believed_after:
        return replace(gate, outcome=Outcome.FAILED, reason="the fixed workload fails in the same way")
    if not red and pair.elapsed >= rules.symptom_deadline:
        return _open(gate, "the failure did not show in every pod of the broken workload in the shadow")
    return _still_symptomatic(gate, pair, rules)


def _still_symptomatic(gate: GateResult, pair: Pair, rules: Rules) -> GateResult | None:
    """R fails, and C is neither good nor bad yet: there is an end to that too."""
    if pair.c.symptomatic and pair.elapsed >= rules.rollout_deadline + rules.at_least:
        return replace(gate, outcome=Outcome.FAILED, reason="some pods of the fixed workload fail in the same way")
    return _open(gate, "the fixed workload did not stay good for long enough") if _overdue(pair, rules) else None


def health(pair: Pair, rules: Rules) -> GateResult | None:
    """Whether C stays ready without a break and without a crash; None while that is open."""
    gate = GateResult(
        gate=HEALTH,
        outcome=Outcome.PASSED,
        required=True,
        measured=round(pair.c.stable_for, 1),
        threshold=rules.stable_for,
        unit="s",
        coverage=f"{pair.c.ready} of {pair.c.trials} pods ready, {pair.c.crashes} crashes",
        weight=STABILITY_WEIGHT,
    )
    if fault := _fault(pair, rules):
        return replace(gate, outcome=Outcome.FAILED, reason=fault)
    if doubt := _doubt(pair, rules):
        return _open(gate, doubt)
    return gate if pair.c.stable_for >= rules.stable_for else None


def _fault(pair: Pair, rules: Rules) -> str:
    """What is wrong with C, of its own doing; empty where nothing is."""
    if pair.c.crashes and not pair.artefact:
        return "a container of the fixed workload crashed"
    if pair.c.transitions >= rules.transitions:
        return f"readiness flaps: {pair.c.transitions} changes of one pod"
    if pair.c.stable_for < rules.stable_for and not pair.c.infrastructure and _overdue(pair, rules):
        return f"never ready for {rules.stable_for:.0f} s without a break"
    return ""


def _doubt(pair: Pair, rules: Rules) -> str:
    """What is wrong with C, but not of its doing; empty where nothing is."""
    if pair.c.crashes:
        return pair.artefact
    if pair.c.replaced:
        return "the cluster replaced pods of the fixed workload"
    if pair.c.infrastructure and pair.elapsed >= rules.rollout_deadline:
        return "; ".join(pair.c.infrastructure)
    return ""


def unfinished(gate: str, weight: int = 0) -> GateResult:
    """A required gate that was still open when another one ended the trial."""
    return GateResult(
        gate=gate,
        outcome=Outcome.SKIPPED,
        required=True,
        reason="the trial was decided before",
        weight=weight,
        inconclusive=True,
    )


def decide(gates: Sequence[GateResult], gaps: Sequence[str] = (), *, incident: bool = True) -> Verdict:
    """The verdict over all gates.

    REJECT when one that counts failed; ACCEPT when every required one passed, reproduction among them where there is an
    incident; else INCONCLUSIVE. The score is shown, it does not decide.

    Args:
        gates: in the order in which they ran.
        gaps: what the trial could not cover, in words; gates that do not apply are added.
        incident: whether there is a failure to reproduce.
    """
    low, high = score(gates)
    open_gaps = [f"{gate.gate}: {gate.reason}" for gate in gates if _inapplicable(gate) or _let_off(gate)]
    decision, reason = _decision(gates, incident=incident)
    return Verdict(
        decision=decision,
        reason=reason,
        score_low=low,
        score_high=high,
        gates=tuple(gates),
        gaps=(*gaps, *(gap for gap in open_gaps if gap not in gaps)),
    )


def score(gates: Sequence[GateResult]) -> tuple[float, float]:
    """The score if everything open had failed, and if it had passed; what does not apply leaves the weights."""
    counted = [gate for gate in gates if gate.weight > 0 and not _inapplicable(gate)]
    whole = sum(gate.weight for gate in counted)
    if not whole:
        return 0.0, 1.0
    passed = sum(gate.weight for gate in counted if _passed(gate))
    failed = sum(gate.weight for gate in counted if gate.outcome is Outcome.FAILED and not gate.inconclusive)
    return passed / whole, (whole - failed) / whole


def _decision(gates: Sequence[GateResult], *, incident: bool) -> tuple[Decision, str]:
    if any(_failed(gate) for gate in gates):
        return Decision.REJECT, "GateRejected"
    reproduced = next((gate for gate in gates if gate.gate == REPRODUCTION), None)
    if incident and (reproduced is None or not _passed(reproduced)):
        seen = reproduced is not None and reproduced.outcome is Outcome.ERRORED
        return Decision.INCONCLUSIVE, "NotReproduced" if seen else _open_reason(gates)
    required = [gate for gate in gates if gate.required]
    if required and all(_passed(gate) for gate in required):
        return Decision.ACCEPT, "Accepted"
    return Decision.INCONCLUSIVE, _open_reason(gates)


def _open_reason(gates: Sequence[GateResult]) -> str:
    errored = {gate.gate for gate in gates if gate.required and gate.outcome is Outcome.ERRORED}
    return "Infrastructure" if errored - COMPONENTS else "Inconclusive"


def _failed(gate: GateResult) -> bool:
    return gate.outcome is Outcome.FAILED and not gate.inconclusive and (gate.required or gate.weight > 0)


def _passed(gate: GateResult) -> bool:
    return gate.outcome is Outcome.PASSED and not gate.inconclusive


def _inapplicable(gate: GateResult) -> bool:
    return gate.outcome is Outcome.SKIPPED and not gate.required


def _let_off(gate: GateResult) -> bool:
    """It was asked and did not answer, and a person has said that this may be."""
    return gate.outcome is Outcome.ERRORED and not gate.required and gate.weight == 0


def _overdue(pair: Pair, rules: Rules) -> bool:
    since = pair.watched if pair.c.available_at is not None else pair.elapsed - rules.rollout_deadline
    return since >= rules.at_most


def _open(gate: GateResult, reason: str) -> GateResult:
    """It ran, and decides neither way."""
    return replace(gate, outcome=Outcome.ERRORED, reason=reason, inconclusive=True)
