"""The number of replicas that one metric asks for. Pure.

The rules are those of the horizontal pod autoscaler of Kubernetes: ratio of usage to target, a tolerance in which
nothing changes, and pods whose usage is not known counted so that the change becomes smaller, never larger. Amounts are
whole milli-units (thousandths of a core or of a byte), as there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any, Final

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.objects import condition, is_terminating, parsed_time

STARTING_SECONDS: Final = 300.0
"""Nominal seconds in which a pod's processor time says little: it is starting."""
READINESS_SECONDS: Final = 30.0
"""Nominal seconds within which a pod's first turn to unready counts as never having been ready."""

Amounts = Mapping[str, int]
"""Milli-units by pod."""


class MetricError(Exception):
    """A metric that says nothing, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one pod used in a window that ended at a moment.

    Attributes:
        amount: milli-units.
        window: real seconds.
    """

    amount: int
    at: datetime
    window: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How far usage may be from its target before the size changes, as shares of the target."""

    up: Fraction = Fraction(1, 10)
    down: Fraction = Fraction(1, 10)

    def holds(self, ratio: Fraction) -> bool:
        """Whether a ratio of usage to target is near enough to 1."""
        return 1 - self.down <= ratio <= 1 + self.up


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The pods of a target, by what is known of them; those that are going or have failed are in none.

    Attributes:
        measured: the amounts of those that count.
        unready: the names of those that do not serve yet.
        missing: the names of those whose usage is not known.
    """

    measured: Amounts
    unready: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a metric asks for.

    Attributes:
        replicas: the size.
        average: the milli-units that a pod uses now.
        utilization: the same in percent of what pods request, where that is the target.
    """

    replicas: int
    average: int
    utilization: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The time, for facts that carry timestamps.

    Attributes:
        now: aware UTC.
        scale: nominal seconds in a real one.
    """

    now: datetime
    scale: float = field(default=1.0)

    def since(self, written: str) -> float:
        """Nominal seconds since a Kubernetes timestamp."""
        return (self.now - parsed_time(written)).total_seconds() * self.scale


def grouped(pods: Sequence[Object], readings: Mapping[str, Reading], *, starting: bool, clock: Clock) -> Groups:
    """Sort a target's pods.

    Args:
        pods: those that the target selects.
        readings: what is known, by pod.
        starting: whether pods that are starting are no measure, as with processor time.
        clock: the time.
    """
    measured: dict[str, int] = {}
    unready, missing = set(), set()
    for pod in pods:
        name, phase = pod["metadata"]["name"], (pod.get("status") or {}).get("phase")
        if is_terminating(pod) or phase == "Failed":
            continue
        reading = readings.get(name)
        if phase == "Pending":
            unready.add(name)
        elif reading is None:
            missing.add(name)
        elif starting and _is_starting(pod, reading, clock):
            unready.add(name)
        else:
            measured[name] = reading.amount
    return Groups(measured=measured, unready=frozenset(unready), missing=frozenset(missing))


def by_utilization(
    groups: Groups, current: int, target: int, requests: Amounts, *, tolerance: Tolerance = Tolerance()
) -> Proposal:
    """The size at which pods use `target` percent of what they request.

    Args:
        groups: the pods.
        current: the size now.
        target: percent.
        requests: of every pod that the target selects.
        tolerance: see `Tolerance`.

    Raises:
        MetricError: no pod was measured.
    """

    def utilization(amounts: Amounts) -> int:
        return sum(amounts.values()) * 100 // max(1, sum(requests[name] for name in amounts))

    size = _size(
        groups,
        current,
        ratio=lambda amounts: Fraction(utilization(amounts), target),
        busy=lambda name: requests[name] * max(100, target) // 100,
        tolerance=tolerance,
    )
    measured = groups.measured
    average = sum(measured.values()) // len(measured)
    return Proposal(replicas=size, average=average, utilization=utilization(measured))


def by_average(groups: Groups, current: int, target: int, *, tolerance: Tolerance = Tolerance()) -> Proposal:
    """The size at which a pod uses `target` milli-units on average.

    Raises:
        MetricError: no pod was measured.
    """

    def average(amounts: Amounts) -> int:
        return sum(amounts.values()) // len(amounts)

    size = _size(
        groups,
        current,
        ratio=lambda amounts: Fraction(average(amounts), target),
        busy=lambda _: target,
        tolerance=tolerance,
    )
    return Proposal(replicas=size, average=average(groups.measured))


def _size(
    groups: Groups,
    current: int,
    *,
    ratio: Callable[[Amounts], Fraction],
    busy: Callable[[str], int],
    tolerance: Tolerance,
) -> int:
    if not groups.measured:
        raise MetricError("did not receive metrics for targeted pods (pods might be unready)")
    seen = ratio(groups.measured)
    idle_too = bool(groups.unready) and seen > 1
    if not idle_too and not groups.missing:
        return current if tolerance.holds(seen) else math.ceil(seen * len(groups.measured))
    filled = dict(groups.measured)
    if seen < 1:
        filled |= {name: busy(name) for name in groups.missing}
    elif seen > 1:
        filled |= dict.fromkeys(groups.missing, 0)
    if idle_too:
        filled |= dict.fromkeys(groups.unready, 0)
    whole = ratio(filled)
    if tolerance.holds(whole) or (seen - 1) * (whole - 1) < 0:
        return current
    size = math.ceil(whole * len(filled))
    turned = size > current if whole < 1 else size < current
    return current if turned else size


def _is_starting(pod: Object, reading: Reading, clock: Clock) -> bool:
    ready, started = condition(pod, "Ready"), (pod.get("status") or {}).get("startTime")
    if ready is None or not started:
        return True
    serving, turned = ready.get("status") == "True", str(ready.get("lastTransitionTime") or started)
    if clock.since(started) < STARTING_SECONDS:
        covered = (reading.at - parsed_time(turned)).total_seconds()
        return not serving or covered < reading.window
    return not serving and clock.since(started) - clock.since(turned) < READINESS_SECONDS


def requests_of(pods: Sequence[Object], resource: str, container: str, amount: Callable[[Any], int]) -> dict[str, int]:
    """What pods request of a resource, in milli-units.

    Args:
        pods: those that the target selects.
        resource: as `cpu`.
        container: the only one that counts; empty for all.
        amount: a quantity in milli-units.

    Raises:
        MetricError: a container requests none.
    """
    found = {}
    for pod in pods:
        total, chosen = 0, [c for c in pod["spec"]["containers"] if container in {"", c["name"]}]
        for one in chosen:
            wanted = ((one.get("resources") or {}).get("requests") or {}).get(resource)
            if wanted is None:
                name = pod["metadata"]["name"]
                raise MetricError(f"missing request for {resource} in container {one['name']} of Pod {name}")
            total += amount(wanted)
        if not chosen:
            raise MetricError(f"container {container} not present in metrics for pod {pod['metadata']['name']}")
        found[pod["metadata"]["name"]] = total
    return found
