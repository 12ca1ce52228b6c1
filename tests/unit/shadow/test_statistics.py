"""Exact statistics against values worked out elsewhere."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.shadow.statistics import (
    Sequential,
    Sprt,
    binomial_cdf,
    clopper_pearson_lower,
    clopper_pearson_upper,
    fisher_one_sided,
    newcombe,
    wilson,
)


def test_five_of_five_against_none_of_five() -> None:
    assert fisher_one_sided(5, 5, 0, 5) == pytest.approx(1 / 252)


def test_fisher_of_the_lady_tasting_tea() -> None:
    assert fisher_one_sided(3, 4, 1, 4) == pytest.approx(17 / 70)


def test_fisher_without_trials_says_nothing() -> None:
    assert fisher_one_sided(0, 0, 0, 0) == 1


@settings(deadline=None)
@given(st.integers(0, 8), st.integers(0, 8))
def test_fisher_is_a_probability_and_falls_with_more_failures(bad_r: int, bad_c: int) -> None:
    p = fisher_one_sided(bad_r, 8, bad_c, 8)
    assert 0 < p <= 1 + 1e-12
    if bad_c:
        assert fisher_one_sided(bad_r, 8, bad_c - 1, 8) <= p + 1e-12


@pytest.mark.parametrize(("n", "limit"), [(299, 0.01), (59, 0.05)])
def test_so_many_clean_requests_bound_the_error_rate(n: int, limit: float) -> None:
    assert clopper_pearson_upper(0, n) <= limit
    assert clopper_pearson_upper(0, n - 1) > limit


@settings(deadline=None)
@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_clopper_pearson_brackets_the_rate(counts: tuple[int, int]) -> None:
    failures, n = counts
    low, high = clopper_pearson_lower(failures, n), clopper_pearson_upper(failures, n)
    assert 0 <= low <= failures / n <= high <= 1
    if failures < n:
        assert binomial_cdf(failures, n, high) == pytest.approx(0.05, abs=1e-6)


def test_nothing_tried_bounds_nothing() -> None:
    assert clopper_pearson_upper(0, 0) == 1
    assert clopper_pearson_lower(0, 0) == 0
    assert wilson(0, 0) == (0.0, 1.0)
    assert newcombe(0, 0, 0, 10) == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("counts", "expected"),
    # Newcombe 1998, table II, method 10: two-sided at 95 %, each bound one-sided at 97.5 %.
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((10, 10, 0, 20), (0.6791, 1.0)),
        ((0, 10, 0, 10), (-0.2775, 0.2775)),
    ],
)
def test_newcombe_of_his_own_examples(counts: tuple[int, int, int, int], expected: tuple[float, float]) -> None:
    assert newcombe(*counts, confidence=0.975) == pytest.approx(expected, abs=5e-5)
    low, high = newcombe(*counts)
    assert expected[0] <= low <= high <= expected[1]


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_newcombe_of_the_arms_changed_round(fail_c: int, fail_g: int) -> None:
    low, high = newcombe(fail_c, 60, fail_g, 60)
    assert (-high, -low) == pytest.approx(newcombe(fail_g, 60, fail_c, 60))


def test_a_wald_test_accepts_after_72_clean_requests() -> None:
    test = Sprt()
    assert test.clean_needed == 72
    assert test.judge(0, 71) is Sequential.GO_ON
    assert test.judge(0, 72) is Sequential.GOOD


def test_a_wald_test_rejects_what_fails_at_once() -> None:
    assert Sprt().judge(2, 2) is Sequential.BAD
    assert Sprt().judge(1, 1) is Sequential.GO_ON


def test_the_binomial_at_its_ends() -> None:
    assert binomial_cdf(0, 10, 0.0) == 1
    assert math.isclose(binomial_cdf(9, 10, 1.0), 0)
