"""The judge: its thresholds, what more evidence may never do, and how often it errs."""

import heapq
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.model.verdict import Decision, GateResult, Outcome
from aegis.shadow import judge
from aegis.shadow.judge import Pair, Rules, Tally, decide, score

CRASH = Rules()
SYMPTOM = Rules(crash=False)


def pair(elapsed: float, *, artefact: str = "", r: Tally | None = None, c: Tally | None = None) -> Pair:
    good = Tally(trials=5, ready=5, available_at=10.0, stable_for=max(0.0, elapsed - 10.0))
    return Pair(elapsed=elapsed, r=r or Tally(trials=5), c=c or good, artefact=artefact)


def red(crashes: int, matching: int | None = None) -> Tally:
    return Tally(trials=5, crashes=crashes, matching=crashes if matching is None else matching)


def outcome(gate: GateResult | None) -> str:
    if gate is None:
        return "open"
    return "inconclusive" if gate.inconclusive else gate.outcome.value


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (pair(190.0, r=red(7)), "PASSED"),
        (pair(189.9, r=red(7)), "open"),
        (pair(190.0, r=red(6)), "open"),
        (pair(1809.9, r=red(6)), "open"),
        (pair(1810.0, r=red(6)), "inconclusive"),
        (pair(1000.0), "open"),
        (pair(1200.0), "inconclusive"),
        (pair(609.9, r=Tally(trials=5, available_at=10.0)), "open"),
        (pair(610.0, r=Tally(trials=5, available_at=10.0)), "inconclusive"),
        (pair(200.0, r=red(7, 0)), "inconclusive"),
        (pair(200.0, r=red(8, 1)), "open"),
        (pair(20.0, r=red(7), c=Tally(trials=5, crashes=1)), "FAILED"),
        (pair(20.0, r=red(7), c=Tally(trials=5, crashes=1), artefact="both fail"), "inconclusive"),
    ],
)
def test_crashes_are_counted_seven_to_none(now: Pair, expected: str) -> None:
    assert outcome(judge.reproduction(now, CRASH)) == expected


@pytest.mark.parametrize(("elapsed", "expected"), [(609.9, "open"), (640.0, "open"), (640.1, "PASSED")])
def test_a_candidate_that_starts_later_is_watched_for_as_long_as_the_broken_one_ran(
    elapsed: float, expected: str
) -> None:
    broken = replace(red(10), matched_at=tuple(600.0 + n / 10 for n in range(10)))
    later = Tally(trials=5, ready=5, available_at=39.5, stable_for=elapsed - 39.5)
    assert outcome(judge.reproduction(pair(elapsed, r=broken, c=later), CRASH)) == expected


def symptom(elapsed: float, r: int, c: int, *, stable: float = 0.0, trials: int = 5) -> Pair:
    return Pair(
        elapsed=elapsed,
        r=Tally(trials=trials, symptomatic=r),
        c=Tally(trials=trials, symptomatic=c, stable_for=stable, available_at=1.0 if stable else None),
    )


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (symptom(130, 5, 0, stable=120), "PASSED"),
        (symptom(130, 5, 0, stable=119), "open"),
        (symptom(130, 4, 0, stable=120), "open"),
        (symptom(300, 4, 0, stable=290), "inconclusive"),
        (symptom(179, 5, 5), "open"),
        (symptom(180, 5, 5), "FAILED"),
        (symptom(400, 5, 1), "open"),
        (symptom(780, 5, 1), "FAILED"),
        (symptom(130, 1, 0, stable=120, trials=1), "inconclusive"),
        (symptom(130, 3, 0, stable=120, trials=3), "PASSED"),
        (symptom(130, 0, 0, stable=120, trials=0), "open"),
    ],
)
def test_other_symptoms_show_in_every_pod_and_in_none(now: Pair, expected: str) -> None:
    assert outcome(judge.reproduction(now, SYMPTOM)) == expected


def test_without_an_incident_nothing_is_reproduced() -> None:
    gate = judge.reproduction(pair(0.0), Rules(required=False))
    assert gate is not None
    assert (gate.outcome, gate.required) == (Outcome.SKIPPED, False)
    assert "no regression" in gate.reason


@pytest.mark.parametrize(
    ("c", "elapsed", "expected"),
    [
        (Tally(trials=5, ready=5, available_at=30.0), 40.0, "PASSED"),
        (Tally(trials=5, ready=4), 599.0, "open"),
        (Tally(trials=5, ready=4), 600.0, "FAILED"),
        (Tally(trials=5, infrastructure=("Unschedulable: no node",)), 600.0, "inconclusive"),
    ],
)
def test_a_rollout_has_a_deadline_and_is_not_blamed_for_the_cluster(c: Tally, elapsed: float, expected: str) -> None:
    assert outcome(judge.rollout(pair(elapsed, c=c), CRASH)) == expected


@pytest.mark.parametrize(
    ("c", "elapsed", "expected"),
    [
        (Tally(trials=5, ready=5, available_at=1.0, stable_for=120.0), 121.0, "PASSED"),
        (Tally(trials=5, ready=5, available_at=1.0, stable_for=119.0), 121.0, "open"),
        (Tally(trials=5, ready=5, available_at=1.0, stable_for=120.0, transitions=3), 300.0, "FAILED"),
        (Tally(trials=5, ready=5, available_at=1.0, stable_for=120.0, transitions=2), 300.0, "PASSED"),
        (Tally(trials=5, ready=5, available_at=1.0, stable_for=120.0, crashes=1), 300.0, "FAILED"),
        (Tally(trials=5, ready=5, available_at=1.0, stable_for=120.0, replaced=1), 300.0, "inconclusive"),
        (Tally(trials=5, ready=4, available_at=1.0), 1801.0, "FAILED"),
    ],
)
def test_health_is_an_unbroken_stretch_at_the_end(c: Tally, elapsed: float, expected: str) -> None:
    assert outcome(judge.health(pair(elapsed, c=c), CRASH)) == expected


def test_the_deadlines_follow_the_workload() -> None:
    assert judge.stable_for() == 120
    assert judge.stable_for(probe_horizon=100) == 200
    assert judge.stable_for(min_ready_seconds=300) == 300
    assert judge.give_up_after(None) == 600
    assert judge.give_up_after(400) == 1200
    assert judge.rollout_deadline(startup_budget=500, pull=300) == 800


# ── the verdict ──────────────────────────────────────────────────────────────────────────────────────────────────────

RANK = {Decision.REJECT: 0, Decision.INCONCLUSIVE: 1, Decision.ACCEPT: 2}
STEPS = (
    {"outcome": Outcome.FAILED, "inconclusive": False},
    {"outcome": Outcome.ERRORED, "inconclusive": True},
    {"outcome": Outcome.PASSED, "inconclusive": False},
)


def gate(name: str, step: int, *, weight: int = 10, required: bool = True) -> GateResult:
    return replace(GateResult(gate=name, outcome=Outcome.PASSED, required=required, weight=weight), **STEPS[step])  # type: ignore[arg-type]


@st.composite
def gates(draw: st.DrawFn) -> list[GateResult]:
    names = draw(st.lists(st.sampled_from(["rollout", "health", "smoke", "errors", "podsecurity"]), unique=True))
    found = [
        gate(name, draw(st.integers(0, 2)), weight=draw(st.sampled_from([0, 5, 30])), required=draw(st.booleans()))
        for name in names
    ]
    if draw(st.booleans()):
        found.append(gate("reproduction", draw(st.integers(0, 2)), weight=20))
    return found


@given(gates(), st.booleans(), st.data())
def test_a_better_gate_never_makes_a_worse_verdict(
    found: list[GateResult], incident: bool, data: st.DataObject
) -> None:
    if not found:
        return
    at = data.draw(st.integers(0, len(found) - 1))
    step = next(i for i, fields in enumerate(STEPS) if found[at].outcome is fields["outcome"])
    for better in range(step, 3):
        improved = [*found[:at], replace(found[at], **STEPS[better]), *found[at + 1 :]]  # type: ignore[arg-type]
        before, after = decide(found, incident=incident), decide(improved, incident=incident)
        assert RANK[after.decision] >= RANK[before.decision]
        assert after.score_low >= before.score_low
        assert after.score_high >= before.score_high


@given(gates())
def test_nothing_is_accepted_that_was_not_reproduced(found: list[GateResult]) -> None:
    reproduced = any(one.gate == "reproduction" and one.outcome is Outcome.PASSED for one in found)
    if decide(found).decision is Decision.ACCEPT:
        assert reproduced


@given(gates(), st.booleans())
def test_a_required_gate_that_did_not_pass_is_never_accepted(found: list[GateResult], incident: bool) -> None:
    if decide(found, incident=incident).decision is Decision.ACCEPT:
        assert all(one.outcome is Outcome.PASSED for one in found if one.required)


@given(gates())
def test_the_score_is_an_interval(found: list[GateResult]) -> None:
    low, high = score(found)
    assert 0 <= low <= high <= 1


def test_no_gate_at_all_is_no_pass() -> None:
    assert decide([], incident=False).decision is Decision.INCONCLUSIVE


def test_what_does_not_apply_leaves_the_weights_and_is_a_gap() -> None:
    skipped = GateResult(gate="smoke", outcome=Outcome.SKIPPED, required=False, reason="no port", weight=15)
    verdict = decide([gate("reproduction", 2, weight=20), gate("health", 2, weight=30), skipped])
    assert (verdict.decision, verdict.reason) == (Decision.ACCEPT, "Accepted")
    assert (verdict.score_low, verdict.score_high) == (1.0, 1.0)
    assert verdict.gaps == ("smoke: no port",)


def test_a_required_gate_that_was_not_reached_keeps_the_interval_open() -> None:
    verdict = decide([gate("reproduction", 2, weight=20), judge.unfinished("health", 30)])
    assert verdict.decision is Decision.INCONCLUSIVE
    assert (verdict.score_low, verdict.score_high) == (0.4, 1.0)


def test_the_reasons_of_a_verdict() -> None:
    assert decide([gate("reproduction", 1)]).reason == "NotReproduced"
    assert decide([gate("isolation", 1), judge.unfinished("reproduction", 20)]).reason == "Infrastructure"
    assert decide([gate("podsecurity", 0, weight=0), gate("reproduction", 2)]).reason == "GateRejected"


def test_a_failed_gate_of_no_weight_that_is_not_required_only_tells() -> None:
    found = [gate("reproduction", 2), gate("advice", 0, weight=0, required=False)]
    assert decide(found).decision is Decision.ACCEPT


# ── how often it errs ────────────────────────────────────────────────────────────────────────────────────────────────

BACK_OFF = (10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
PODS = 5


def crashes(rng: random.Random, mean: float) -> Iterator[float]:
    """The times at which one pod crashes: exponential runs, with the kubelet's back-off between them."""
    now, level = 0.0, 0
    while True:
        run = rng.expovariate(1 / mean)
        now += run
        yield now
        level = 0 if run > 600 else level
        now += BACK_OFF[min(level, len(BACK_OFF) - 1)]
        level += 1


def verdict(rng: random.Random, mean_r: float, mean_c: float | None) -> Decision:
    """One trial from beginning to end, looked at whenever something crashes and every half minute."""
    streams = [("r", crashes(rng, mean_r)) for _ in range(PODS)]
    streams += [("c", crashes(rng, mean_c)) for _ in range(PODS)] if mean_c else []
    rules, counts = Rules(), {"r": 0, "c": 0}
    queue = [(next(stream), index) for index, (_, stream) in enumerate(streams)]
    queue += [(30.0 * tick, -1) for tick in range(1, 70)]
    heapq.heapify(queue)
    while True:
        now, index = heapq.heappop(queue)
        if index >= 0:
            arm, stream = streams[index]
            counts[arm] += 1
            heapq.heappush(queue, (next(stream), index))
        c = Tally(trials=PODS, ready=PODS, crashes=counts["c"], available_at=0.0, stable_for=now)
        seen = Pair(elapsed=now, r=red(counts["r"]), c=c)
        results = [judge.rollout(seen, rules), judge.reproduction(seen, rules), judge.health(seen, rules)]
        known = [result for result in results if result is not None]
        if len(known) == 3 or any(result.outcome is not Outcome.PASSED for result in known):
            return decide(known).decision


@pytest.mark.parametrize("mean", [30.0, 120.0, 300.0, 600.0])
def test_error_rates_over_simulated_trials(mean: float) -> None:
    rng = random.Random(2026)  # noqa: S311 - a simulation
    useless = sum(verdict(rng, mean, mean) is Decision.ACCEPT for _ in range(400))
    good = sum(verdict(rng, mean, None) is Decision.ACCEPT for _ in range(200))
    assert useless <= 4, "a useless fix is accepted in at most 1 %"
    assert good >= 190, "a good fix is accepted in at least 95 %"
