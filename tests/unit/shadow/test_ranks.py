"""Bounds from ranks, against tables, against brute force, and against scipy where it is installed."""

import itertools
import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.shadow.ranks import Estimate, mann_whitney_greater, quantile_upper, shift, slope

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
SAMPLES = st.lists(NUMBERS, min_size=1, max_size=12)


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - samples, no secrets


def rank_of(estimate: Estimate, differences: list[float]) -> tuple[int, int]:
    """Which order statistics the bounds are, from either end."""
    ordered = sorted(differences)
    return ordered.index(estimate.lower) + 1, len(ordered) - ordered.index(estimate.upper)


@pytest.mark.parametrize(
    ("n", "m", "confidence", "critical"),
    # The critical values of U, as the tables after Mann & Whitney 1947 print them.
    [
        (5, 5, 0.975, 2),
        (8, 8, 0.975, 13),
        (10, 10, 0.975, 23),
        (20, 20, 0.975, 127),
        (20, 20, 0.95, 138),
        (7, 12, 0.995, 12),
    ],
)
def test_the_bounds_are_those_of_the_tables(n: int, m: int, confidence: float, critical: int) -> None:
    rng = seeded(n)
    c, g = [rng.random() for _ in range(n)], [rng.random() for _ in range(m)]
    found = rank_of(shift(c, g, confidence=confidence), [a - b for a in c for b in g])
    assert found == (critical + 1, critical + 1)


def test_the_shift_of_an_example_by_hand() -> None:
    assert shift([1.0, 5.0], [2.0, 10.0], confidence=0.7) == Estimate(value=-3.0, lower=-9.0, upper=3.0)


def test_too_few_to_bound_anything() -> None:
    found = shift([1.0, 2.0], [1.5], confidence=0.95)
    assert (found.lower, found.upper) == (-math.inf, math.inf)
    assert slope([(0, 1.0), (1, 2.0)], confidence=0.95) == Estimate(value=1.0, lower=-math.inf, upper=math.inf)


@settings(deadline=None)
@given(SAMPLES, SAMPLES, NUMBERS)
def test_moving_an_arm_moves_its_bounds_and_changing_places_turns_them_round(
    c: list[float], g: list[float], by: float
) -> None:
    one, other = shift(c, g, confidence=0.9), shift(g, c, confidence=0.9)
    assert (one.lower, one.value, one.upper) == pytest.approx((-other.upper, -other.value, -other.lower))
    moved = shift([value + by for value in c], g, confidence=0.9)
    assert moved.value == pytest.approx(one.value + by, abs=1e-6)
    assert one.lower <= one.value <= one.upper


@settings(deadline=None)
@given(SAMPLES, SAMPLES)
def test_more_confidence_never_narrows_a_bound(c: list[float], g: list[float]) -> None:
    wide, narrow = shift(c, g, confidence=0.99), shift(c, g, confidence=0.9)
    assert wide.lower <= narrow.lower
    assert narrow.upper <= wide.upper


def test_a_bound_and_its_test_say_the_same() -> None:
    rng = seeded(7)
    for _ in range(200):
        c, g = [rng.gauss(0.4, 1) for _ in range(9)], [rng.gauss(0, 1) for _ in range(11)]
        assert (shift(c, g, confidence=0.95).lower > 0) == (mann_whitney_greater(c, g) <= 0.05)


@pytest.mark.parametrize("size", [8, 30, 61])
def test_bounds_cover_the_truth_as_often_as_they_say(size: int) -> None:
    rng = seeded(size)
    trials, missed = 600, 0
    for _ in range(trials):
        c = [math.log(rng.lognormvariate(0.3, 1)) for _ in range(size)]
        g = [math.log(rng.lognormvariate(0.0, 1)) for _ in range(size)]
        missed += shift(c, g, confidence=0.95).upper < 0.3
    assert missed / trials < 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


@pytest.mark.parametrize("size", [60, 61])
def test_counting_and_the_normal_approximation_meet(size: int) -> None:
    c, g = list(range(size)), [value + 0.5 for value in range(size)]
    exact = size * size / 2 - 1.645 * math.sqrt(size * size * (2 * size + 1) / 12)
    found, _ = rank_of(shift(c, g, confidence=0.95), [a - b for a in c for b in g])
    differences = sorted(a - b for a in c for b in g)
    assert differences[found - 1] == differences[round(exact)]


def test_the_least_p_is_that_of_one_order_in_all() -> None:
    assert mann_whitney_greater([4, 5, 6], [1, 2, 3]) == pytest.approx(1 / 20)
    assert mann_whitney_greater([1, 2, 3], [4, 5, 6]) == 1
    assert mann_whitney_greater([1.0] * 5, [1.0] * 5) == 1


def test_p_against_all_orders() -> None:
    pooled = [1.0, 2.5, 3.0, 4.5, 5.0, 7.5, 8.0]
    c = [2.5, 7.5, 8.0]
    greater = sum(a > b for a in c for b in set(pooled) - set(c))
    as_extreme = [
        sum(a > b for a in chosen for b in set(pooled) - set(chosen)) >= greater
        for chosen in itertools.combinations(pooled, 3)
    ]
    assert mann_whitney_greater(c, sorted(set(pooled) - set(c))) == pytest.approx(statistics.mean(as_extreme))


def test_a_straight_line_has_one_slope() -> None:
    found = slope([(t, 3.0 * t + 7) for t in range(10)], confidence=0.99)
    assert found == Estimate(value=3.0, lower=3.0, upper=3.0)


def test_sens_slope_ignores_what_one_reading_says() -> None:
    points = [(t, 2.0 * t) for t in range(20)]
    points[7] = (7, 1e9)
    assert slope(points, confidence=0.95).value == 2.0


@pytest.mark.parametrize("size", [12, 70])
def test_a_series_that_does_not_grow_is_seldom_said_to(size: int) -> None:
    rng = seeded(size)
    trials = 400
    grows = sum(slope([(t, rng.gauss(0, 1)) for t in range(size)], confidence=0.95).lower > 0 for _ in range(trials))
    assert grows / trials < 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_a_quantile_needs_enough_values() -> None:
    assert quantile_upper(range(59), 0.95) == 58
    assert quantile_upper(range(58), 0.95) == math.inf
    assert quantile_upper(range(299), 0.99) == 298
    assert quantile_upper(range(298), 0.99) == math.inf
    assert quantile_upper([], 0.5) == math.inf
    assert quantile_upper(range(100), 0.5) == 58


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(bad: float) -> None:
    for call in (
        lambda: shift([1.0, bad], [1.0], confidence=0.95),
        lambda: shift([1.0], [bad], confidence=0.95),
        lambda: mann_whitney_greater([bad], [1.0]),
        lambda: slope([(0, 1.0), (1, bad)], confidence=0.95),
        lambda: slope([(bad, 1.0), (1, 1.0)], confidence=0.95),
        lambda: quantile_upper([bad], 0.5),
    ):
        with pytest.raises(ValueError, match="not a measurement"):
            call()


def test_nothing_is_refused_too() -> None:
    for call in (
        lambda: shift([], [1.0], confidence=0.95),
        lambda: mann_whitney_greater([1.0], []),
        lambda: slope([(1, 1.0)], confidence=0.95),
    ):
        with pytest.raises(ValueError, match="too few"):
            call()
    with pytest.raises(ValueError, match="one moment"):
        slope([(1, 1.0), (1, 2.0)], confidence=0.95)


def test_scipy_agrees() -> None:
    scipy = pytest.importorskip("scipy.stats", reason="scipy is an oracle where it is installed, no dependency")
    rng = seeded(3)
    for n, m in ((4, 6), (9, 9), (25, 31)):
        c, g = [rng.gauss(0.2, 1) for _ in range(n)], [rng.gauss(0, 1) for _ in range(m)]
        theirs = scipy.mannwhitneyu(c, g, alternative="greater", method="exact").pvalue
        assert mann_whitney_greater(c, g) == pytest.approx(theirs)
        tied = [round(value) for value in c], [round(value) for value in g]
        theirs = scipy.mannwhitneyu(*tied, alternative="greater", method="asymptotic").pvalue
        assert mann_whitney_greater(*tied) == pytest.approx(theirs)
        values = [rng.gauss(0, 1) for _ in range(n)]
        theirs = scipy.theilslopes(values, range(n), alpha=0.9)
        ours = slope(list(enumerate(values)), confidence=0.95)
        assert ours.value == pytest.approx(theirs.slope)
        assert ours.lower == pytest.approx(theirs.low_slope, abs=0.15)
