"""Exact statistics for small counts, by the standard library alone.

Small counts are what a trial has: normal approximations are wrong there, so each function computes its own distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from statistics import NormalDist

_HALVINGS = 60
"""Bisection steps: beyond 53 a double does not change any more."""


def fisher_one_sided(bad_r: int, n_r: int, bad_c: int, n_c: int) -> float:
    """How likely so great a difference would be if both arms failed alike (Fisher's exact test, one-sided).

    Args:
        bad_r: failures in the arm that should fail more.
        n_r: trials there.
        bad_c: failures in the other arm.
        n_c: trials there.

    Returns:
        P(at least `bad_r` of the failures fall to the first arm), given all margins; 1 without trials.
    """
    bad, total = bad_r + bad_c, n_r + n_c
    ways = math.comb(total, n_r)
    upper = min(bad, n_r)
    return sum(math.comb(bad, k) * math.comb(total - bad, n_r - k) for k in range(bad_r, upper + 1)) / ways


def binomial_pmf(k: int, n: int, p: float) -> float:
    """P(X = k) of a binomial variable."""
    if p in {0.0, 1.0}:
        return float(k == n * p)
    log = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(log + k * math.log(p) + (n - k) * math.log1p(-p))


def binomial_cdf(k: int, n: int, p: float) -> float:
    """P(X <= k) of a binomial variable."""
    if k >= n:
        return 1.0
    return math.fsum(binomial_pmf(i, n, p) for i in range(k + 1))


def clopper_pearson_upper(failures: int, n: int, *, confidence: float = 0.95) -> float:
    """The exact one-sided upper bound of a failure rate (Clopper & Pearson 1934); 1 where nothing was tried."""
    if failures >= n:
        return 1.0
    return _falling_root(lambda p: binomial_cdf(failures, n, p), 1 - confidence)


def clopper_pearson_lower(failures: int, n: int, *, confidence: float = 0.95) -> float:
    """The exact one-sided lower bound of a failure rate; 0 where nothing failed."""
    return 1 - clopper_pearson_upper(n - failures, n, confidence=confidence) if n else 0.0


def wilson(failures: int, n: int, *, z: float = 1.6448536269514722) -> tuple[float, float]:
    """Wilson's score interval of a rate; `z` of one-sided 95 %. (0, 1) where nothing was tried."""
    if n == 0:
        return 0.0, 1.0
    rate, square = failures / n, z * z
    centre = rate + square / (2 * n)
    spread = z * math.sqrt(rate * (1 - rate) / n + square / (4 * n * n))
    low, high = (centre - spread) / (1 + square / n), (centre + spread) / (1 + square / n)
    return max(0.0, low), min(1.0, high)


def newcombe(fail_c: int, n_c: int, fail_g: int, n_g: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """One-sided bounds (lower, upper) of `p_c - p_g` by the hybrid score method (Newcombe 1998, his method 10)."""
    if not n_c or not n_g:
        return -1.0, 1.0
    z = NormalDist().inv_cdf(confidence)
    (low_c, high_c), (low_g, high_g) = wilson(fail_c, n_c, z=z), wilson(fail_g, n_g, z=z)
    p_c, p_g = fail_c / n_c, fail_g / n_g
    difference = p_c - p_g
    lower = difference - math.sqrt((p_c - low_c) ** 2 + (high_g - p_g) ** 2)
    upper = difference + math.sqrt((high_c - p_c) ** 2 + (p_g - low_g) ** 2)
    return lower, upper


class Sequential(Enum):
    """What a sequential test says so far."""

    GOOD = "good"
    BAD = "bad"
    GO_ON = "go on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sprt:
    """Wald's sequential probability ratio test of an error rate (Wald 1945): looking often does not inflate its errors.

    Attributes:
        p0: a rate that is good.
        p1: a rate that is bad.
        alpha: how often a good one may be called bad.
        beta: how often a bad one may be called good.
    """

    p0: float = 0.01
    p1: float = 0.05
    alpha: float = 0.05
    beta: float = 0.05

    def judge(self, failures: int, n: int) -> Sequential:
        """The decision after `n` requests."""
        ratio = failures * math.log(self.p1 / self.p0) + (n - failures) * math.log((1 - self.p1) / (1 - self.p0))
        if ratio >= math.log((1 - self.beta) / self.alpha):
            return Sequential.BAD
        if ratio <= math.log(self.beta / (1 - self.alpha)):
            return Sequential.GOOD
        return Sequential.GO_ON

    @property
    def clean_needed(self) -> int:
        """How many requests without a failure are accepted."""
        return math.ceil(math.log(self.beta / (1 - self.alpha)) / math.log((1 - self.p1) / (1 - self.p0)))


def _falling_root(function: Callable[[float], float], value: float) -> float:
    """Where a function that falls from 1 to 0 over [0, 1] takes a value."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if function(middle) > value:
            low = middle
        else:
            high = middle
    return (low + high) / 2
