"""The requests that arms are sent side by side, and what the pods that send them report. Pure.

Each arm is asked from within itself, by a pod of its own, since nothing reaches from one arm into another. What those pods
print is read as strictly as anything that comes from outside: what cannot be is refused, not repaired.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from aegis.model.refs import JsonObject
from aegis.model.verdict import GateResult, Outcome
from aegis.shadow.comparison import BLOCK, ERRORS, LATENCY, Answers, errors, inapplicable, latency

MOST_CHECKS = 2
"""So many questions are put under load, those with a path first: each takes its own requests."""

FIRST, SECOND, ALONE = (0, 3), (1, 2), (0, 1, 2, 3)
"""The slots of C, of the arm that it is compared with, and of C where there is none: A B B A."""

TIMEOUT = 2.0
WARM_UP = 10
PATIENCE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRules:
    """How much is asked.

    Attributes:
        requests: to each arm, for each question and look; 0: no load is sent.
        rate: requests a nominal second, at most.
        seconds: nominal, after which a look ends whatever was sent.
    """

    requests: int = 300
    rate: float = 10.0
    seconds: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of one question in one arm.

    Attributes:
        sent: requests.
        failed: of these.
        seconds: of those that were answered or timed out, in the order of sending.
        words: what was wrong, and how often.
    """

    sent: int
    failed: int
    seconds: tuple[float, ...]
    words: Mapping[str, int]

    def plus(self, later: Asked) -> Asked:
        """Both together."""
        return Asked(
            sent=self.sent + later.sent,
            failed=self.failed + later.failed,
            seconds=(*self.seconds, *later.seconds),
            words={**later.words, **self.words},
        )


def questions(checks: Sequence[JsonObject], others: Sequence[JsonObject] | None) -> list[JsonObject]:
    """The few checks of C that are put under load: those that the other arm is asked alike, HTTP before plain connections.

    Args:
        checks: of C.
        others: of the arm that it is compared with; None: there is none.
    """
    same = [(one["name"], one["scheme"], one["path"]) for one in others or ()]
    shared = [one for one in checks if others is None or (one["name"], one["scheme"], one["path"]) in same]
    return sorted(shared, key=lambda one: one["scheme"] == "tcp")[:MOST_CHECKS]


def script_plan(
    checks: Sequence[JsonObject], rules: LoadRules, *, interval: float, duration: float, turns: Sequence[int]
) -> JsonObject:
    """The input of `scripts/load.py`.

    Args:
        checks: what to ask.
        rules: how much.
        interval: real seconds between two requests.
        duration: real seconds.
        turns: the arm's slots.
    """
    return {
        "checks": list(checks),
        "requests": rules.requests,
        "block": BLOCK,
        "interval": interval,
        "timeout": TIMEOUT,
        "duration": duration,
        "patience": PATIENCE,
        "warm_up": WARM_UP,
        "turns": list(turns),
        "slot": max(0.02, interval * BLOCK),
    }


def read_report(report: Any, checks: Sequence[JsonObject], most: int) -> dict[str, Asked]:
    """What a load pod printed.

    Args:
        report: the JSON.
        checks: what it was told to ask.
        most: how many requests it was told to send for each.

    Raises:
        ValueError: if it cannot be the report of those requests, or the pod stopped since nothing could be resolved.
    """
    answered = report.get("checks") if isinstance(report, dict) else None
    names = [check["name"] for check in checks]
    if not isinstance(answered, dict) or not all(isinstance(answered.get(name), dict) for name in names):
        raise ValueError("it is no report of what was asked")
    if report.get("stopped"):
        raise ValueError(f"it stopped: {str(report['stopped'])[:200]}")
    return {name: _asked(answered[name], most) for name in names}


def _asked(one: JsonObject, most: int) -> Asked:
    sent, failed, seconds, words = (one.get(key) for key in ("sent", "failed", "seconds", "errors"))
    if not _is_count(sent) or not _is_count(failed) or not isinstance(seconds, list) or not isinstance(words, dict):
        raise ValueError("it holds no counts")
    if not failed <= sent <= most or len(seconds) > sent:
        raise ValueError("its counts do not agree")
    if not all(isinstance(item, int | float) and math.isfinite(item) and item > 0 for item in seconds):
        raise ValueError("it holds times that cannot be")
    told = {str(word)[:120]: int(count) for word, count in list(words.items())[:5] if _is_count(count)}
    return Asked(sent=sent, failed=failed, seconds=tuple(map(float, seconds)), words=told)


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def judged(
    candidate: Mapping[str, Asked], good: Mapping[str, Asked] | None, checks: Sequence[JsonObject], why_alone: str
) -> dict[str, GateResult]:
    """The two components that the requests decide: of several questions the worst answer counts.

    Args:
        candidate: what C answered.
        good: what the arm that it is compared with answered; None: there is none.
        checks: what was asked.
        why_alone: why there is none.
    """
    wrong, slow = [], []
    for check in checks:
        name = check["name"]
        mine, other = candidate[name], good[name] if good is not None else None
        wrong.append((name, _errors(mine, other)))
        if check["scheme"] != "tcp":
            slow.append((name, latency(mine.seconds, other.seconds if other is not None else None)))
    results = {ERRORS: _worst(wrong)}
    if slow:
        results[LATENCY] = _worst(slow)
    else:
        results[LATENCY] = inapplicable(LATENCY, "no HTTP path is declared whose answers could be timed")
    if good is None and slow:
        results[LATENCY] = inapplicable(LATENCY, why_alone)
    return results


def _errors(mine: Asked, other: Asked | None) -> GateResult:
    gate = errors(
        Answers(sent=mine.sent, failed=mine.failed),
        Answers(sent=other.sent, failed=other.failed) if other is not None else None,
    )
    if gate.outcome is not Outcome.FAILED or not mine.words:
        return gate
    words = ", ".join(f"{count} x {word}" for word, count in mine.words.items())
    return replace(gate, reason=f"{gate.reason}: {words}")


_RANK = {Outcome.PASSED: 0, Outcome.SKIPPED: 0, Outcome.ERRORED: 1, Outcome.FAILED: 2}


def _worst(named: Sequence[tuple[str, GateResult]]) -> GateResult:
    name, worst = max(named, key=lambda item: (_RANK[item[1].outcome], item[1].required))
    return replace(worst, coverage=f"{name}: {worst.coverage}" if worst.coverage else worst.coverage)
