"""Exact bounds from ranks: they hold for every continuous distribution, so nothing is assumed about latencies or memory.

Both bounds here invert a rank test whose null distribution is counted, not approximated, up to `EXACT` observations an
arm; beyond that a normal approximation with a continuity correction serves. Ties only make the (closed) bounds wider than
need be, never narrower. Values that are no finite number are refused: a NaN compares as nothing and would vanish.

Sources: Mann & Whitney 1947 (the distribution of U), Hodges & Lehmann 1963 (the shift estimate), Kendall 1938 and Sen 1968
(the slope and its bounds), Theil 1950.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from statistics import NormalDist, median

from aegis.shadow.statistics import binomial_pmf

EXACT = 60
"""So many observations an arm (or a series) are counted exactly."""

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its one-sided bounds.

    Attributes:
        value: the estimate.
        lower: the one-sided lower bound at the asked confidence; -inf where there are too few observations for one.
        upper: the upper bound likewise; +inf where there are too few.
    """

    value: float
    lower: float
    upper: float


def shift(c: Sequence[float], g: Sequence[float], *, confidence: float) -> Estimate:
    """By how much C's values lie above G's: the Hodges-Lehmann estimate, the median of all differences.

    Its bounds are the order statistics of the differences that the one-sided Mann-Whitney test at `1 - confidence` does not
    reject; each bound on its own errs with at most that chance.

    Args:
        c: independent observations.
        g: as many as one likes of the other arm.
        confidence: of each bound, between 0.5 and 1.

    Raises:
        ValueError: if an observation is not finite, or an arm has none.
    """
    _finite(c)
    _finite(g)
    differences = sorted(one - other for one in c for other in g)
    return _between(differences, _rank_of_bound(len(c), len(g), 1 - confidence))


def mann_whitney_greater(c: Sequence[float], g: Sequence[float]) -> float:
    """The chance of C's values lying so high above G's if both came from one distribution (one-sided p of U).

    Exact without ties up to `EXACT` an arm; else normal, with the correction for ties.

    Raises:
        ValueError: if an observation is not finite, or an arm has none.
    """
    _finite(c)
    _finite(g)
    n, m = len(c), len(g)
    doubled = sum(2 * (one > other) + (one == other) for one in c for other in g)
    pooled = sorted((*c, *g))
    ties = [pooled.count(value) for value in set(pooled)]
    if max(ties) == 1 and max(n, m) <= EXACT:
        return _u_tails(n, m)[n * m - doubled // 2] / math.comb(n + m, n)
    total = n + m
    spread = n * m / 12 * (total + 1 - sum(t**3 - t for t in ties) / (total * (total - 1)))
    if spread <= 0:
        return 1.0
    return 1 - _NORMAL.cdf((doubled / 2 - n * m / 2 - 0.5) / math.sqrt(spread))


def slope(points: Sequence[tuple[float, float]], *, confidence: float) -> Estimate:
    """How fast a series grows: the median of the slopes between all its points (Theil, Sen), with bounds by Kendall's test.

    Args:
        points: (when, value), at moments that all differ.
        confidence: of each bound, between 0.5 and 1.

    Raises:
        ValueError: if a number is not finite, there are fewer than two points, or two of one moment.
    """
    _finite((number for point in points for number in point), least=4)
    ordered = sorted(points)
    if any(one[0] == other[0] for one, other in pairwise(ordered)):
        raise ValueError("two points of one moment have no slope")
    slopes = sorted(
        (later[1] - one[1]) / (later[0] - one[0]) for index, one in enumerate(ordered) for later in ordered[index + 1 :]
    )
    return _between(slopes, _rank_of_slope(len(ordered), 1 - confidence))


def quantile_upper(values: Sequence[float], share: float, *, confidence: float = 0.95) -> float:
    """An upper bound of a quantile, for any distribution: the smallest order statistic that lies above it surely enough.

    +inf where there are too few values: the 95th percentile needs 59 of them, the 99th 299.

    Raises:
        ValueError: if a value is not finite.
    """
    _finite(values, least=0)
    ordered, n = sorted(values), len(values)
    bound, at_least = math.inf, 0.0
    for rank in range(n, 0, -1):
        at_least += binomial_pmf(rank, n, share)
        if at_least > 1 - confidence:
            break
        bound = ordered[rank - 1]
    return bound


def _between(ordered: Sequence[float], rank: int) -> Estimate:
    """The median of sorted values, and those that are `rank`-th from either end (0: there is no bound)."""
    low, high = (ordered[rank - 1], ordered[-rank]) if rank else (-math.inf, math.inf)
    return Estimate(value=median(ordered), lower=low, upper=high)


@lru_cache(maxsize=64)
def _rank_of_bound(n: int, m: int, alpha: float) -> int:
    """The largest k for which P(U < k) <= alpha."""
    if not n or not m:
        return 0
    if max(n, m) <= EXACT:
        return _largest(_u_tails(n, m), alpha * math.comb(n + m, n))
    spread = math.sqrt(n * m * (n + m + 1) / 12)
    return max(0, math.floor(n * m / 2 + 0.5 + _NORMAL.inv_cdf(alpha) * spread))


@lru_cache(maxsize=64)
def _rank_of_slope(n: int, alpha: float) -> int:
    """The largest k for which P(fewer than k discordant pairs) <= alpha."""
    pairs = n * (n - 1) // 2
    if n <= EXACT:
        return _largest(_inversion_tails(n), alpha * math.factorial(n))
    spread = math.sqrt(n * (n - 1) * (2 * n + 5) / 72)
    return max(0, math.floor(pairs / 2 + 0.5 + _NORMAL.inv_cdf(alpha) * spread))


def _largest(tails: Sequence[int], most: float) -> int:
    return sum(1 for tail in tails if tail <= most)


@lru_cache(maxsize=64)
def _u_tails(n: int, m: int) -> tuple[int, ...]:
    """In how many orders of the pooled values U is at most 0, 1, … nm.

    The counts are the coefficients of the Gaussian binomial, the product of (1 - q^(m+i)) / (1 - q^i) for i of 1..n.
    """
    counts = [1] + [0] * (n * m)
    for i in range(1, n + 1):
        for power in range(n * m, m + i - 1, -1):
            counts[power] -= counts[power - m - i]
        for power in range(i, n * m + 1):
            counts[power] += counts[power - i]
    return tuple(accumulate(counts))


@lru_cache(maxsize=64)
def _inversion_tails(n: int) -> tuple[int, ...]:
    """How many permutations of n have at most 0, 1, … inversions: the product of (1 - q^i) / (1 - q) for i of 1..n."""
    most = n * (n - 1) // 2
    counts = [1] + [0] * most
    for i in range(2, n + 1):
        counts = list(accumulate(counts))
        for power in range(most, i - 1, -1):
            counts[power] -= counts[power - i]
    return tuple(accumulate(counts))


def _finite(numbers: Iterable[float], *, least: int = 1) -> None:
    """Refuse what is no number.

    Raises:
        ValueError: if a number is not finite, or there are fewer than `least`.
    """
    count = 0
    for number in numbers:
        count += 1
        if not math.isfinite(number):
            raise ValueError(f"{number} is not a measurement")
    if count < least:
        raise ValueError("too few observations")
