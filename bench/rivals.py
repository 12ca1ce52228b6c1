"""The rules that others use, written anew from their sources, to run on the traces that AEGIS is run on.

* **Argo Rollouts** 1.10.0-rc1 (utils/evaluate, analysis/analysis.go): `failureLimit` 0, `inconclusiveLimit` 0,
  `consecutiveErrorLimit` 4; the documented template: `successCondition: result[0] >= 0.95` of the success rate. Assumed: an
  interval of a minute and a count of ten (neither has a default); latency is not in the template.
* **Restarts**: the same analysis with a metric of one's own, no restart in the last minute. Not documented, but what a careful
  user would write.
* **Flagger** 1.44 (pkg/controller/scheduler.go, scheduler_metrics.go): interval 60 s, threshold 1, ten iterations (what it
  sets itself for the kubernetes provider, which makes eleven checks), canaryReadyThreshold 100, progressDeadlineSeconds 600;
  the documented checks: request-success-rate at least 99, request-duration (p99) at most 500 ms. A tick that finds a pod not
  ready waits; no data fails.
* **Kayenta** 2.46 (NetflixACAJudge, MannWhitneyClassifier, WeightedSumScorer): Mann-Whitney at a confidence of 0.98, bounds of
  0.25 of the Hodges-Lehmann estimate, effect sizes at their defaults, NaNs removed. Assumed: two groups of equal weight (error
  rate, mean latency; direction increase), pass at 95 and marginal at 75 as in its documents, G as the baseline, and ten
  points of a minute or fifty of twelve seconds.
* **Ready ratio**: the mean share of ready pods, looked at every ten seconds for five minutes, is at least 0.8 (what AEGIS'
  predecessor did).

All are given C's traffic from C's start on, for ten minutes or, where they wait, up to forty.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence

from bench.traces import HORIZON, PODS, Trace

MINUTE = 60


# ── Argo Rollouts ────────────────────────────────────────────────────────────────────────────────────────────────────

Condition = Callable[[float], bool]


def measurement(value: float, success: Condition | None, failure: Condition | None) -> str:
    """The phase of one measurement; every comparison with NaN is false, which is why a lone failureCondition passes it."""
    failed = failure(value) if failure else False
    good = success(value) if success else False
    if success is None and failure is None:
        return "Successful"
    if failure is None:
        failed = not good
    if success is None:
        good = not failed
    if failed:
        return "Failed"
    return "Successful" if good else "Inconclusive"


def argo(values: Sequence[float], success: Condition | None, failure: Condition | None = None) -> str:
    """The phase of a metric after its measurements, with the default limits."""
    phases = Counter(measurement(value, success, failure) for value in values)
    if phases["Inconclusive"]:
        return "Inconclusive"
    return "Failed" if phases["Failed"] else "Successful"


def by_argo(trace: Trace) -> bool:
    """Ten looks at the success rate of the last minute."""
    for minute in range(1, 11):
        if argo([success_rate(trace, minute * MINUTE)], lambda rate: rate >= 0.95) != "Successful":
            return False
    return True


def by_restarts(trace: Trace) -> bool:
    """Ten looks at the restarts of the last minute."""
    return not any(begin <= 10 * MINUTE for downs in trace.c for begin, _ in downs)


def success_rate(trace: Trace, until: int) -> float:
    """Of the last minute; NaN without a request."""
    minute = trace.answers("c", until)[until - MINUTE :]
    return sum(answer is not None for answer in minute) / len(minute) if minute else math.nan


# ── Flagger ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def by_flagger(trace: Trace) -> bool:
    """A tick a minute: not ready waits, one failed check rolls back, the eleventh good one promotes."""
    iterations = stuck = 0
    for now in range(0, int(HORIZON) + 1, MINUTE):
        ready = len(trace.ready(now))
        stuck = stuck + 1 if ready < PODS - 1 else 0
        if stuck * MINUTE > 600:
            return False
        if ready < PODS:
            continue
        if iterations and not flagger_checks(trace, now):
            return False
        if iterations > 10:
            return True
        iterations += 1
    return False


def flagger_checks(trace: Trace, now: int) -> bool:
    """The success rate, and the 99th percentile of the latencies, of the last minute."""
    minute = trace.answers("c", now)[now - MINUTE : now]
    answered = sorted(answer for answer in minute if answer is not None)
    if not answered:
        return False
    slowest = answered[min(len(answered) - 1, int(0.99 * len(answered)))]
    return 100 * len(answered) / len(minute) >= 99 and slowest <= 0.5


# ── Kayenta ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_QUANTILE = statistics.NormalDist().inv_cdf(0.01)
"""Of a two-sided confidence of 0.98."""


def by_kayenta(trace: Trace, points: int) -> bool:
    """The score of two groups of one metric each is at least 95."""
    step = 10 * MINUTE // points
    scores = []
    for metric in (error_rates, mean_latencies):
        classes = [classify(metric(trace, "g", step), metric(trace, "c", step))]
        scores.append(group_score(classes))
        if scores[-1] == 0:
            return False
    return sum(0.5 * score for score in scores) >= 95


def group_score(classes: Sequence[str]) -> float:
    """The share of what passed of what was classified; a group without data scores 100."""
    counted = [one for one in classes if one in {"Pass", "High", "Low", "NodataFailMetric"}]
    return 100 * counted.count("Pass") / len(counted) if counted else 100.0


def error_rates(trace: Trace, arm: str, step: int) -> list[float]:
    """A share of failed requests for each step."""
    answers = trace.answers(arm, 10 * MINUTE)
    return [answers[at : at + step].count(None) / step for at in range(0, len(answers), step)]


def mean_latencies(trace: Trace, arm: str, step: int) -> list[float]:
    """A mean in milliseconds for each step; NaN where nothing was answered."""
    answers = trace.answers(arm, 10 * MINUTE)
    steps = [[a for a in answers[at : at + step] if a is not None] for at in range(0, len(answers), step)]
    return [1000 * statistics.fmean(step) if step else math.nan for step in steps]


def classify(control: Sequence[float], experiment: Sequence[float]) -> str:
    """One metric, in the direction of an increase."""
    baseline = [value for value in control if not math.isnan(value)]
    canary = [value for value in experiment if not math.isnan(value)]
    if not baseline or not canary:
        return "Nodata"
    if sorted(baseline) == sorted(canary) or len({*baseline, *canary}) == 1:
        return "Pass"
    if len(set(baseline)) == 1 == len(set(canary)):
        # Two constants: it adds a hundred-thousandth of noise, whose sign never matters here.
        return "High" if canary[0] > baseline[0] else "Pass"
    differences = sorted(a - b for a in canary for b in baseline)
    if _deviation(differences[0], canary, baseline) == math.inf:
        return "Error"
    low, estimate = (_root(quantile, canary, baseline, differences) for quantile in (-_QUANTILE, 0.0))
    ratio = _mean_ratio(baseline, canary)
    return "High" if low > 0.25 * abs(estimate) and (math.isnan(ratio) or ratio >= 1) else "Pass"


def _mean_ratio(control: Sequence[float], experiment: Sequence[float]) -> float:
    one, other = statistics.fmean(control), statistics.fmean(experiment)
    return other / one if one and other else math.nan


def _deviation(mu: float, x: Sequence[float], y: Sequence[float]) -> float:
    """The standardised rank sum of x - mu against y, with the corrections for continuity and ties; inf: all are tied."""
    n, m = len(x), len(y)
    moved = [value - mu for value in x]
    pooled = Counter((*moved, *y))
    below, ranks = 0, {}
    for value in sorted(pooled):
        ranks[value] = below + (pooled[value] + 1) / 2
        below += pooled[value]
    rank_sum = sum(ranks[value] for value in moved) - n * (n + 1) / 2 - n * m / 2
    ties = sum(count**3 - count for count in pooled.values()) / ((n + m) * (n + m - 1))
    spread = math.sqrt(n * m / 12 * (n + m + 1 - ties))
    if not spread:
        return math.inf
    return (rank_sum - math.copysign(0.5, rank_sum) * (rank_sum != 0)) / spread


def _root(quantile: float, x: Sequence[float], y: Sequence[float], differences: Sequence[float]) -> float:
    """Where the deviation, which falls in steps at the differences, passes a quantile."""
    if _deviation(differences[0], x, y) <= quantile:
        return differences[0]
    if _deviation(differences[-1], x, y) >= quantile:
        return differences[-1]
    steps = sorted(set(differences))
    low, high = -1, len(steps) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if _deviation((steps[middle] + steps[middle + 1]) / 2, x, y) > quantile:
            low = middle
        else:
            high = middle
    return steps[high]


# ── the ready ratio ──────────────────────────────────────────────────────────────────────────────────────────────────


def by_ready_ratio(trace: Trace) -> bool:
    """The mean of what a look every ten seconds sees in five minutes."""
    return statistics.fmean(len(trace.ready(10.0 * look)) for look in range(1, 31)) / PODS >= 0.8


RULES: dict[str, Callable[[Trace], bool]] = {
    "Argo Rollouts": by_argo,
    "Restarts": by_restarts,
    "Flagger": by_flagger,
    "Kayenta 10": lambda trace: by_kayenta(trace, 10),
    "Kayenta 50": lambda trace: by_kayenta(trace, 50),
    "Ready ratio": by_ready_ratio,
}
