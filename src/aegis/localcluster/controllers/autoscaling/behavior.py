"""How fast a size may change: stabilisation windows and scaling policies. Pure.

Source: the autoscaling/v2 API reference and the behaviour of Kubernetes' horizontal pod autoscaler. Times are nominal
seconds on a steady clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, NamedTuple

from aegis.kube.quantity import parse_quantity
from aegis.localcluster.controllers.autoscaling.proposal import Tolerance

DOWN_SECONDS: Final = 300.0
"""The stabilisation window of scaling down, where none is named."""
_FACTOR, _FLOOR = 2, 4
"""Without a behavior, one step goes to twice the size, or to 4."""
_WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
_UP_LIMIT = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
_DOWN_LIMIT = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")


class Mark(NamedTuple):
    """A number that stood at a moment: a recommendation, or by how many replicas a size changed."""

    at: float
    replicas: int


class Limited(NamedTuple):
    """A size within its limits, and which limit held it: the reason and message of the condition."""

    replicas: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Between what the size may be, and what it is."""

    current: int
    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What happened until now: recommendations and changes of size."""

    now: float
    recommendations: Sequence[Mark] = ()
    ups: Sequence[Mark] = ()
    downs: Sequence[Mark] = ()

    def recent(self, marks: Sequence[Mark], seconds: float) -> list[int]:
        """The numbers of the last seconds."""
        return [m.replicas for m in marks if m.at > self.now - seconds]


def stabilized(behavior: Mapping[str, Any] | None, desired: int, current: int, history: History) -> int:
    """The size that recent recommendations agree on: the highest for going down, the lowest for going up."""
    if behavior is None:
        return max([desired, *history.recent(history.recommendations, DOWN_SECONDS)])
    low = min([desired, *history.recent(history.recommendations, window(behavior, "scaleUp"))])
    high = max([desired, *history.recent(history.recommendations, window(behavior, "scaleDown"))])
    return min(max(current, low), high)


def window(behavior: Mapping[str, Any] | None, direction: str) -> float:
    """The stabilisation window of a direction (`scaleUp`, `scaleDown`)."""
    named = ((behavior or {}).get(direction) or {}).get("stabilizationWindowSeconds")
    if named is not None:
        return float(named)
    return DOWN_SECONDS if direction == "scaleDown" else 0.0


def tolerance(behavior: Mapping[str, Any] | None) -> Tolerance:
    """The tolerances that a behavior names, else a tenth."""

    def share(direction: str) -> Fraction:
        named = ((behavior or {}).get(direction) or {}).get("tolerance")
        return Fraction(1, 10) if named is None else Fraction(parse_quantity(named))

    return Tolerance(up=share("scaleUp"), down=share("scaleDown"))


def limited(behavior: Mapping[str, Any] | None, desired: int, size: Range, history: History) -> Limited:
    """The size that one step may go to."""
    if desired > size.current:
        allowed = _highest(behavior, size.current, history)
        most, why = (allowed, _UP_LIMIT) if allowed < size.most else (size.most, _TOO_MANY)
        return Limited(most, *why) if desired > most else Limited(desired, *_WITHIN)
    if desired < size.current:
        allowed = _lowest(behavior, size.current, history)
        least, why = (allowed, _DOWN_LIMIT) if allowed > size.least else (size.least, _TOO_FEW)
        return Limited(least, *why) if desired < least else Limited(desired, *_WITHIN)
    return Limited(desired, *_WITHIN)


def longest_period(behavior: Mapping[str, Any] | None) -> float:
    """For how long changes of size are of interest."""
    rules = [((behavior or {}).get(d) or {}).get("policies") or () for d in ("scaleUp", "scaleDown")]
    return max((float(p["periodSeconds"]) for policies in rules for p in policies), default=0.0)


def _highest(behavior: Mapping[str, Any] | None, current: int, history: History) -> int:
    if behavior is None:
        return max(_FACTOR * current, _FLOOR)
    rules = behavior.get("scaleUp") or {}
    sizes = []
    for policy in rules.get("policies") or ():
        start = _start(policy, current, history)
        grown = start + policy["value"]
        if policy["type"] == "Percent":
            grown = math.ceil(start * (1 + Fraction(policy["value"], 100)))
        sizes.append(grown)
    return max(current, _chosen(rules, sizes, current, most=True))


def _lowest(behavior: Mapping[str, Any] | None, current: int, history: History) -> int:
    if behavior is None:
        return 0
    rules = behavior.get("scaleDown") or {}
    sizes = []
    for policy in rules.get("policies") or ():
        start = _start(policy, current, history)
        shrunk = start - policy["value"]
        if policy["type"] == "Percent":
            shrunk = int(start * (1 - Fraction(policy["value"], 100)))
        sizes.append(shrunk)
    return min(current, _chosen(rules, sizes, current, most=False))


def _chosen(rules: Mapping[str, Any], sizes: Sequence[int], current: int, *, most: bool) -> int:
    """The size of the policy that allows the largest change, or the smallest with `Min`; none with `Disabled`."""
    select = rules.get("selectPolicy", "Max")
    if select == "Disabled" or not sizes:
        return current
    return max(sizes) if most is (select == "Max") else min(sizes)


def _start(policy: Mapping[str, Any], current: int, history: History) -> int:
    """The size at the beginning of a policy's period."""
    period = float(policy["periodSeconds"])
    return current - sum(history.recent(history.ups, period)) + sum(history.recent(history.downs, period))
