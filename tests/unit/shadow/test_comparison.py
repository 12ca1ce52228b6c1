"""C against G: what passes, what fails, what stays open, and what blocks acceptance."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.model.verdict import Decision, GateResult, Outcome
from aegis.shadow import comparison, judge
from aegis.shadow.comparison import Answers, Lines, errors, latency, memory, new_signatures

MIB = 2.0**20


def said(gate: GateResult) -> str:
    """How the gate ended, and whether it blocks acceptance."""
    ended = "open" if gate.inconclusive else gate.outcome.value
    return f"{ended} and required" if gate.required and ended == "open" else ended


def answers(failed: int, sent: int = comparison.REQUESTS) -> Answers:
    return Answers(sent=sent, failed=failed)


@pytest.mark.parametrize(
    ("c", "g", "expected"),
    [
        (answers(0), answers(0), "PASSED"),
        (answers(0, 267), answers(0, 267), "open"),
        (answers(0, 269), answers(0, 269), "PASSED"),
        (answers(0), answers(0, 151), "PASSED"),
        (answers(0, 159), answers(0), "open and required"),
        (answers(0, 160), answers(0), "open"),
        (answers(1), answers(0), "open"),
        (answers(3), answers(0), "open"),
        (answers(4), answers(0), "open and required"),
        (answers(4), answers(6), "open"),
        (answers(9), answers(0), "open and required"),
        (answers(15), answers(0), "open and required"),
        (answers(16), answers(0), "FAILED"),
        (answers(300), answers(0), "FAILED"),
        (answers(0, 10), answers(0), "open and required"),
        (answers(0), answers(0, 10), "open"),
        (answers(0), answers(150), "open"),
        (answers(300), answers(300), "open"),
    ],
)
def test_errors_against_the_last_good_revision(c: Answers, g: Answers, expected: str) -> None:
    gate = errors(c, g)
    assert said(gate) == expected
    assert (gate.weight, gate.unit, gate.threshold) == (15, "share of requests", 0.01)


@pytest.mark.parametrize(
    ("c", "expected"),
    [
        (answers(0, 72), "open"),
        (answers(0, 73), "PASSED"),
        (answers(0), "PASSED"),
        (answers(8), "open"),
        (answers(30), "FAILED"),
    ],
)
def test_errors_without_one(c: Answers, expected: str) -> None:
    gate = errors(c, None)
    assert said(gate) == expected
    assert not gate.required


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 300), st.integers(0, 299), st.integers(0, 300))
def test_more_errors_never_help(failed: int, fewer: int, good: int) -> None:
    rank = {"FAILED": 0, "open and required": 1, "open": 2, "PASSED": 3}
    few, many = sorted((failed, fewer))
    bad, better = errors(answers(many), answers(good)), errors(answers(few), answers(good))
    assert rank[said(bad)] <= rank[said(better)]


@pytest.mark.parametrize("counts", [(-1, 5), (6, 5)])
def test_what_cannot_be_counted_is_refused(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="cannot have failed"):
        answers(*counts)


def seconds(median: float, *, seed: int, noise: float = 0.5, count: int = comparison.REQUESTS) -> list[float]:
    rng = random.Random(seed)  # noqa: S311 - samples, no secrets
    return [rng.lognormvariate(math.log(median), noise) for _ in range(count)]


@pytest.mark.parametrize(
    ("c", "g", "expected"),
    [
        (seconds(0.02, seed=1), seconds(0.02, seed=2), "PASSED"),
        (seconds(0.04, seed=1), seconds(0.02, seed=2), "FAILED"),
        (seconds(0.01, seed=1), seconds(0.02, seed=2), "PASSED"),
        (seconds(0.026, seed=1), seconds(0.02, seed=2), "open"),
        (seconds(0.02, seed=1, noise=4), seconds(0.02, seed=2, noise=4), "open and required"),
        (seconds(0.02, seed=1, count=99), seconds(0.02, seed=2), "open and required"),
        (seconds(0.02, seed=1), seconds(0.02, seed=2, count=99), "open"),
        ([], [], "open"),
        ([0.02] * 300, [0.02] * 300, "PASSED"),
        ([0.04] * 300, [0.02] * 300, "FAILED"),
    ],
)
def test_latency_against_the_last_good_revision(c: list[float], g: list[float], expected: str) -> None:
    gate = latency(c, g)
    assert said(gate) == expected
    assert (gate.weight, gate.unit, gate.threshold) == (10, "x", 1.25)


def test_what_is_measured_is_the_upper_bound_of_the_ratio() -> None:
    gate = latency([0.03] * 300, [0.02] * 300)
    assert gate.measured == 1.5
    assert "300 requests in 30 blocks" in gate.coverage
    assert "median 30.0 ms (p95 <= 30.0 ms)" in gate.coverage


def test_latency_is_compared_and_never_held_against_a_number() -> None:
    gate = latency(seconds(0.02, seed=1), None)
    assert (gate.outcome, gate.required, gate.weight) == (Outcome.SKIPPED, False, 10)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 10))
def test_the_unit_of_latency_does_not_matter(seed: int, factor: float) -> None:
    c, g = seconds(0.025, seed=seed, count=120), seconds(0.02, seed=seed + 1, count=120)
    one, other = latency(c, g), latency([factor * s for s in c], [factor * s for s in g])
    assert other.measured == pytest.approx(one.measured, abs=0.002)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_latency_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        latency([0.02] * 299 + [bad], [0.02] * 300)


def series(rate: float, *, count: int = 30, start: float = 100 * MIB, seed: int = 0) -> list[tuple[float, float]]:
    rng = random.Random(seed)  # noqa: S311 - samples, no secrets
    return [(10.0 * n, start + rate * 10 * n + rng.gauss(0, MIB / 4)) for n in range(count)]


STARTING = [(10.0 * n, (40 + 6 * min(n, 9)) * MIB) for n in range(30)]


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ({"a": series(0.0, seed=0)}, "PASSED"),
        ({"a": series(0.0, seed=7)}, "open"),
        ({"a": [(t, 100 * MIB) for t, _ in series(0.0)]}, "PASSED"),
        ({"a": STARTING}, "PASSED"),
        ({"a": series(0.5 * MIB)}, "FAILED"),
        ({"a": series(0.0), "b": series(0.5 * MIB)}, "FAILED"),
        ({"a": series(0.02 * MIB)}, "open"),
        ({"a": series(-0.1 * MIB)}, "PASSED"),
        ({"a": series(0.0, start=250 * MIB, seed=4)}, "open"),
        ({"a": series(0.5 * MIB, count=10)}, "open"),
        ({"a": [(t, 100 * MIB) for t, _ in series(0.0)], "b": []}, "open"),
        ({}, "open"),
    ],
)
def test_memory_growing_towards_its_limit(pods: dict[str, list[tuple[float, float]]], expected: str) -> None:
    gate = memory(pods, 256 * MIB, window=300.0)
    assert said(gate) == expected
    assert (gate.weight, gate.unit, gate.threshold) == (5, "s", 600.0)


def test_very_many_readings_are_thinned_out_and_say_the_same() -> None:
    many = [(n / 10, (100 + n / 100) * MIB) for n in range(30_000)]
    gate = memory({"a": many}, 1000 * MIB, window=3000.0)
    assert gate.measured == pytest.approx(6000, rel=0.01)
    assert gate.coverage == "60 readings of 1 pods"


def test_without_a_limit_there_is_nothing_to_grow_towards() -> None:
    assert memory({"a": series(MIB)}, None, window=300.0).outcome is Outcome.SKIPPED


def test_what_is_measured_of_memory_is_how_soon() -> None:
    gate = memory({"a": [(10.0 * n, (100 + n) * MIB) for n in range(30)]}, 229 * MIB, window=300.0)
    assert gate.measured == pytest.approx(1010, abs=1)


@pytest.mark.parametrize(
    ("c", "g", "r", "expected"),
    [
        ({}, {}, {}, "PASSED"),
        ({"a": 5}, {"a": 1}, {}, "PASSED"),
        ({"a": 5}, {}, {"a": 1}, "PASSED"),
        ({"a": 4}, {}, {}, "open"),
        ({"a": 1, "b": 5}, {}, {}, "FAILED"),
    ],
)
def test_new_complaints(c: dict[str, int], g: dict[str, int], r: dict[str, int], expected: str) -> None:
    gate = new_signatures(Lines(pods=5, seen=c), Lines(pods=5, seen=g), Lines(pods=5, seen=r))
    assert said(gate) == expected
    assert gate.weight == 5


def test_few_pods_never_convict_a_line() -> None:
    assert said(new_signatures(Lines(pods=3, seen={"a": 3}), Lines(pods=5))) == "open"
    assert said(new_signatures(Lines(pods=0), Lines(pods=5))) == "open"
    assert new_signatures(Lines(pods=5, seen={"a": 5}), None).outcome is Outcome.SKIPPED


def passed(name: str) -> GateResult:
    return GateResult(gate=name, outcome=Outcome.PASSED, required=True, weight=30)


def decision(*gates: GateResult) -> Decision:
    return judge.decide([passed(judge.ROLLOUT), passed(judge.REPRODUCTION), passed(judge.HEALTH), *gates]).decision


def test_the_components_in_the_verdict() -> None:
    clean = [errors(answers(0), answers(0)), latency([0.02] * 300, [0.02] * 300)]
    assert decision(*clean) is Decision.ACCEPT
    assert decision(*clean, errors(answers(2, 600), answers(0, 600))) is Decision.ACCEPT
    assert decision(*clean, errors(answers(9), answers(0))) is Decision.INCONCLUSIVE
    assert decision(*clean, errors(answers(30), answers(0))) is Decision.REJECT
    assert decision(*clean, comparison.unread(comparison.MEMORY, "five errors in a row")) is Decision.ACCEPT
    assert decision(comparison.inapplicable(comparison.LATENCY, "no port")) is Decision.ACCEPT


def test_what_could_not_be_told_is_not_the_clusters_fault() -> None:
    doubtful = errors(answers(9), answers(0))
    known = [passed(judge.REPRODUCTION), passed(judge.HEALTH)]
    assert judge.decide([*known, doubtful]).reason == "Inconclusive"
    elsewhere = replace(doubtful, gate=judge.HEALTH)
    assert judge.decide([*known, doubtful, elsewhere]).reason == "Infrastructure"


def test_an_open_component_widens_the_score_and_one_that_does_not_apply_leaves_it() -> None:
    fixed = [passed(judge.REPRODUCTION)]
    assert judge.score([*fixed, comparison.unread(comparison.ERRORS, "no answer")]) == (30 / 45, 1)
    assert judge.score([*fixed, comparison.inapplicable(comparison.ERRORS, "no port")]) == (1, 1)
