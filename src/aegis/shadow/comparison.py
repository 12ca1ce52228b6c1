"""Is the candidate C as good as G, the last good revision: errors, latency, memory and log lines under the same load.

Pure: it sees counts, seconds and bytes. Each component passes, fails or is inconclusive by bounds, never by estimates:

* it PASSES when the upper bound of what C has lost against G is within the tolerance;
* it FAILS when the lower bound is beyond it;
* else it is inconclusive, and more requests are sent, up to `LOOKS` times the usual number.

Who looks twice errs twice, and who judges four components four times. So a failure is believed at `SURE_OF_HARM` (one in a
thousand each look): identical arms are rejected in less than one trial in a hundred, all components together.

A component that stays inconclusive blocks acceptance (it is `required`) only while it cannot exclude grave harm: twice the
latency, or one request in twenty-five that fails more. That bound has a confidence of `SURE_OF_NO_HARM`: over both
looks at most one such candidate in a hundred is let through, however noisy the measurements are.

A component without something to compare with does not apply, and is listed as a gap.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from aegis.model.verdict import GateResult, Outcome
from aegis.shadow import ranks
from aegis.shadow.statistics import Sequential, Sprt, clopper_pearson_lower, clopper_pearson_upper, newcombe

ERRORS, LATENCY, MEMORY, LOGS = "errors", "latency", "memory", "logs"
COMPONENTS = frozenset({ERRORS, LATENCY, MEMORY, LOGS})
ERRORS_WEIGHT, LATENCY_WEIGHT, MEMORY_WEIGHT, LOGS_WEIGHT = 15, 10, 5, 5

REQUESTS = 300
"""Requests an arm and look: 299 without a failure bound the error rate by 1 %."""

LOOKS = 2
"""So often at most: after `REQUESTS` an arm, and where that decides nothing after as many again."""

BLOCK = 10
"""Requests an arm sends in a row before the other arm's turn (A B B A); the median of a block is one observation.

Requests that follow each other share the moment's load, so they are not independent; blocks are far more nearly so.
"""

LEAST_BLOCKS = 10
"""Fewer blocks than this in an arm are no traffic."""

LEAST_READINGS = 8
"""Fewer memory readings than this after the warm-up have no slope worth the name."""

WARM_UP = 1 / 3
"""The share of a memory series that is left out at its beginning: every program grows while it starts."""

PASS_CONFIDENCE = 0.95
SURE_OF_HARM = 0.999
SURE_OF_NO_HARM = 0.995

"""The confidences of the bounds; see above."""

ERRORS_TOLERATED = 0.01
ERRORS_GRAVE = 0.04
ERRORS_BAD = 0.05
"""Shares of requests: what C may lose, what it must not have lost, and what is bad by itself, without a G."""

LATENCY_TOLERATED = 1.25
LATENCY_GRAVE = 2.0
"""Times G's latency, likewise."""

DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What an arm made of the requests it was sent.

    Attributes:
        sent: requests sent, answered or not.
        failed: of these: answered with 5xx, cut off, refused, or not answered in time.
    """

    sent: int
    failed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot have been counted.

        Raises:
            ValueError: if there are more failures than requests, or fewer than none.
        """
        if not 0 <= self.failed <= self.sent:
            raise ValueError(f"{self.failed} of {self.sent} requests cannot have failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Which complaints an arm's pods logged.

    Attributes:
        pods: how many pods the arm has.
        seen: for each signature of a line that complains (numbers, times and names masked), how many pods logged it.
    """

    pods: int
    seen: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    """Of what C has lost against G.

    Attributes:
        surely: the lower bound at `SURE_OF_HARM`.
        upper: the upper bound at `PASS_CONFIDENCE`.
        utmost: the upper bound at `SURE_OF_NO_HARM`.
    """

    surely: float
    upper: float
    utmost: float

    def held_against(self, gate: GateResult, *, grave: float, harm: str, doubt: str) -> GateResult:
        """The gate, failed for harm beyond its threshold, open in doubt; required while grave harm is not excluded."""
        tolerated = gate.threshold or 0.0
        gate = replace(gate, required=self.utmost >= grave)
        if self.surely > tolerated:
            return replace(gate, outcome=Outcome.FAILED, reason=harm)
        return gate if self.upper < tolerated and self.utmost < grave else _open(gate, doubt)


def errors(candidate: Answers, good: Answers | None) -> GateResult:
    """Whether C fails more requests than G does; measured is the upper bound of the difference of the rates.

    Against G by Newcombe's hybrid score bounds (Newcombe 1998). Without G nothing can be compared: Wald's sequential test
    (Wald 1945) tells a rate of 1 % from one of 5 %, and the exact bound (Clopper & Pearson 1934) is what is measured.
    """
    gate = _gate(ERRORS, ERRORS_WEIGHT, ERRORS_TOLERATED, "share of requests")
    if good is None:
        return _errors_alone(candidate, gate)
    seen = f"{candidate.failed} of {candidate.sent} requests failed, {good.failed} of {good.sent} of the last good revision"
    gate = replace(gate, coverage=seen)
    if missing := _traffic(gate, candidate.sent, good.sent, REQUESTS // 2):
        return missing
    if clopper_pearson_lower(good.failed, good.sent) > ERRORS_BAD:
        return _open(gate, "the last good revision fails under the same requests: there is nothing to compare with")
    counts = (candidate.failed, candidate.sent, good.failed, good.sent)
    bounds = _Bounds(
        surely=newcombe(*counts, confidence=SURE_OF_HARM)[0],
        upper=newcombe(*counts, confidence=PASS_CONFIDENCE)[1],
        utmost=newcombe(*counts, confidence=SURE_OF_NO_HARM)[1],
    )
    return bounds.held_against(
        replace(gate, measured=round(bounds.upper, 4)),
        grave=ERRORS_GRAVE,
        harm=f"at least {bounds.surely:.1%} more requests fail than before",
        doubt=f"up to {bounds.upper:.1%} more requests may fail than before: too few were sent to tell",
    )


def _errors_alone(candidate: Answers, gate: GateResult) -> GateResult:
    """The rate of C by itself: no comparison, so it never blocks acceptance, but what fails at 5 % fails."""
    upper = clopper_pearson_upper(candidate.failed, candidate.sent)
    gate = replace(
        gate,
        measured=round(upper, 4),
        threshold=ERRORS_BAD,
        coverage=f"{candidate.failed} of {candidate.sent} requests failed; there is no last good revision to compare with",
    )
    test = Sprt(p0=ERRORS_TOLERATED, p1=ERRORS_BAD, alpha=1 - SURE_OF_NO_HARM)
    if candidate.sent < test.clean_needed:
        return _open(gate, "NoTraffic: too few requests reached the fixed workload")
    match test.judge(candidate.failed, candidate.sent):
        case Sequential.BAD:
            rate = candidate.failed / candidate.sent
            return replace(gate, outcome=Outcome.FAILED, reason=f"{rate:.1%} of the requests fail")
        case Sequential.GOOD:
            return gate
        case Sequential.GO_ON:
            return _open(gate, "the error rate lies between what is good and what is bad")


def latency(candidate: Sequence[float], good: Sequence[float] | None) -> GateResult:
    """Whether C answers more slowly than G; measured is the upper bound of the ratio of the latencies.

    The bounds are those of the Hodges-Lehmann shift of the logarithms (Hodges & Lehmann 1963), of medians of blocks.

    Args:
        candidate: seconds of each request in the order of sending; one that timed out counts its time-out, one that failed
            at once is left out (it is an error, and no fast answer).
        good: the same of G, sent in turns with C (A B B A in blocks of `BLOCK`).

    Raises:
        ValueError: if a latency is not positive and finite.
    """
    gate = _gate(LATENCY, LATENCY_WEIGHT, LATENCY_TOLERATED, "x")
    if good is None:
        return inapplicable(LATENCY, "there is no last good revision to compare with")
    c, g = _blocks(candidate), _blocks(good)
    gate = replace(
        gate, coverage=f"{len(candidate)} requests in {len(c)} blocks, {len(good)} of the last good revision"
    )
    if missing := _traffic(gate, len(c), len(g), LEAST_BLOCKS):
        return missing
    bounds = _Bounds(
        surely=math.exp(ranks.shift(c, g, confidence=SURE_OF_HARM).lower),
        upper=math.exp(ranks.shift(c, g, confidence=PASS_CONFIDENCE).upper),
        utmost=math.exp(ranks.shift(c, g, confidence=SURE_OF_NO_HARM).upper),
    )
    typical = f"median {_ms(candidate)}, {_ms(good)} of the last good revision"
    return bounds.held_against(
        replace(gate, measured=round(bounds.upper, 3), coverage=f"{gate.coverage}; {typical}"),
        grave=LATENCY_GRAVE,
        harm=f"answers take at least {bounds.surely:.2f} times as long as before",
        doubt=f"answers may take up to {bounds.upper:.2f} times as long as before: too noisy to tell",
    )


def memory(series: Mapping[str, Sequence[tuple[float, float]]], limit: float | None, window: float) -> GateResult:
    """Whether a pod of C grows towards its memory limit; measured is how soon the fastest might reach it.

    The slope is Theil's and Sen's (Sen 1968) after the warm-up. Its upper bound says when the limit may be reached: within
    two windows is a failure, provided that growth is sure at all; within a day is inconclusive.

    Args:
        series: for each pod (when in seconds, bytes in use), at moments that differ. Seconds are the same that `window` is
            counted in: of real time, since a program grows in real time whatever the cluster's time scale is.
        limit: of each pod, in bytes; None: there is none, and nothing to grow towards.
        window: for how long the trial watched, in seconds.

    Raises:
        ValueError: if a number is not finite, or two readings are of one moment.
    """
    if not limit:
        return inapplicable(MEMORY, "the workload has no memory limit")
    gate = _gate(MEMORY, MEMORY_WEIGHT, 2 * window, "s")
    steady = {pod: _warm(readings) for pod, readings in series.items()}
    enough = {pod: points for pod, points in steady.items() if len(points) >= LEAST_READINGS}
    gate = replace(gate, coverage=f"{sum(map(len, enough.values()))} readings of {len(enough)} pods")
    if not enough or len(enough) < len(series):
        return _open(gate, "too few memory readings")
    growths = [_growth(points, limit, 1 - (1 - SURE_OF_HARM) / len(enough)) for points in enough.values()]
    soonest, sure = min(growths, key=lambda growth: (not (growth[1] and growth[0] < 2 * window), growth[0]))
    gate = replace(gate, measured=None if math.isinf(soonest) else round(soonest, 1))
    if soonest < 2 * window and sure:
        return replace(
            gate, outcome=Outcome.FAILED, reason=f"memory grows: the limit is reached within {soonest:.0f} s"
        )
    if soonest < DAY:
        return _open(gate, "memory may reach its limit within a day")
    return gate


def new_signatures(candidate: Lines, good: Lines | None, broken: Lines | None = None) -> GateResult:
    """Whether C complains in its log of what neither G nor R complains of; measured is of how many things.

    A complaint of every pod of C and of no pod of G is a failure: if each pod had the same chance of it in both arms, five
    to none would come to pass at most once in 2^10 trials. One of some pods is inconclusive.
    """
    gate = _gate(LOGS, LOGS_WEIGHT, 0.0, "new complaints")
    if good is None:
        return inapplicable(LOGS, "there is no last good revision to compare with")
    gate = replace(gate, coverage=f"the logs of {candidate.pods} pods, {good.pods} of the last good revision")
    if not candidate.pods or not good.pods:
        return _open(gate, "no logs were read")
    known = {*good.seen, *(broken.seen if broken else ())}
    new = sorted(
        (signature for signature in candidate.seen if signature not in known), key=lambda s: -candidate.seen[s]
    )
    gate = replace(gate, measured=float(len(new)))
    if not new:
        return gate
    pods = candidate.seen[new[0]]
    told = f"{pods} of {candidate.pods} pods log what none did before: {new[0][:120]}"
    if pods >= candidate.pods and 2.0 ** -(candidate.pods + good.pods) <= 1 - SURE_OF_HARM:
        return replace(gate, outcome=Outcome.FAILED, reason=told)
    return _open(gate, told)


def inapplicable(gate: str, reason: str) -> GateResult:
    """A component that this workload has no use for (no port, no G, no limit): it leaves the weights and is a gap."""
    return GateResult(gate=gate, outcome=Outcome.SKIPPED, required=False, reason=reason, weight=_WEIGHTS[gate])


def unread(gate: str, reason: str) -> GateResult:
    """A component that could not be measured for a reason that is not the fix's: it counts as open, never as passed."""
    return GateResult(
        gate=gate,
        outcome=Outcome.ERRORED,
        required=False,
        reason=reason,
        weight=_WEIGHTS[gate],
        inconclusive=True,
    )


_WEIGHTS = {ERRORS: ERRORS_WEIGHT, LATENCY: LATENCY_WEIGHT, MEMORY: MEMORY_WEIGHT, LOGS: LOGS_WEIGHT}


def _gate(name: str, weight: int, threshold: float, unit: str) -> GateResult:
    return GateResult(gate=name, outcome=Outcome.PASSED, required=False, threshold=threshold, unit=unit, weight=weight)


def _open(gate: GateResult, reason: str) -> GateResult:
    return replace(gate, outcome=Outcome.ERRORED, reason=reason, inconclusive=True)


def _traffic(gate: GateResult, candidate: int, good: int, least: int) -> GateResult | None:
    """NoTraffic, where there was too little. What G answers can be asked of C: only then it blocks acceptance."""
    if good < least:
        return _open(gate, "NoTraffic: too few requests were answered by the last good revision")
    if candidate < least:
        return _open(replace(gate, required=True), "NoTraffic: too few requests were answered by the fixed workload")
    return None


def _blocks(seconds: Sequence[float]) -> list[float]:
    """The logarithm of the median of each whole block.

    Raises:
        ValueError: if a latency is not positive and finite.
    """
    if not all(math.isfinite(one) and one > 0 for one in seconds):
        raise ValueError("a latency is a positive number of seconds")
    whole = range(0, len(seconds) - BLOCK + 1, BLOCK)
    return [math.log(statistics.median(seconds[start : start + BLOCK])) for start in whole]


def _ms(seconds: Sequence[float]) -> str:
    """The median, and the 95th percentile's upper bound where there are enough requests for one."""
    tail = ranks.quantile_upper(seconds, 0.95)
    return f"{1000 * statistics.median(seconds):.1f} ms" + (
        "" if math.isinf(tail) else f" (p95 <= {1000 * tail:.1f} ms)"
    )


def _warm(readings: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """The readings after the warm-up; of very many evenly chosen ones, since all pairs of them are compared."""
    ordered = sorted(readings)
    steady = ordered[int(len(ordered) * WARM_UP) :]
    last, most = len(steady) - 1, ranks.EXACT
    return steady if last < most else [steady[index * last // (most - 1)] for index in range(most)]


def _growth(points: Sequence[tuple[float, float]], limit: float, confidence: float) -> tuple[float, bool]:
    """How many seconds until a pod may reach its limit, and whether it grows at all beyond doubt."""
    upper = ranks.slope(points, confidence=PASS_CONFIDENCE).upper
    sure = ranks.slope(points, confidence=confidence).lower > 0
    left = max(0.0, limit - statistics.median(value for _, value in points[-3:]))
    return (left / upper if upper > 0 else math.inf), sure
