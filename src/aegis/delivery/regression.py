"""The watch after a change: is the symptom gone and stays gone, or is production worse than it was?

Production was broken already, so "not well" is no reason to go back: only strictly worse than before is. All durations
are nominal; the caller divides them by the cluster's time scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aegis.model.health import Health


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRules:
    """How long to look.

    Attributes:
        window: seconds within which the change must show its effect.
        stable: seconds for which it must be good, or worse, without a break.
        deadline: seconds after which it is over in any case: a slow start may take longer than the window.
    """

    window: float = 300.0
    stable: float = 120.0
    deadline: float = 600.0

    def __post_init__(self) -> None:
        if not 0 < self.stable <= self.deadline:
            raise ValueError(f"stable ({self.stable:g} s) must be within the deadline ({self.deadline:g} s)")

    def scaled(self, scale: float) -> WatchRules:
        """The same on a cluster whose time passes so many times faster."""
        return WatchRules(window=self.window / scale, stable=self.stable / scale, deadline=self.deadline / scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at production after the change.

    Attributes:
        at: seconds since the change.
        health: what was seen.
    """

    at: float
    health: Health


Holds = Callable[[Look, Look | None], bool]
"""A condition on a look and the one before it."""


class Aftermath(StrEnum):
    """What the watch after a change saw."""

    RESOLVED = "resolved"
    """The symptom is gone, and stayed so."""
    UNRESOLVED = "unresolved"
    """It is still there, but nothing is worse than before."""
    WORSE = "worse"
    """Strictly worse than before the change."""
    REPLACED = "replaced"
    """Somebody else changed what we had applied: what is seen is no longer ours to judge."""


def judge(looks: Sequence[Look], baseline: Health, rules: WatchRules) -> Aftermath | None:
    """What the looks say, given how it stood before; None while that is open.

    Resolved: everything ready and settled, without a crash, through the last `stable` seconds. Worse: fewer ready than
    before through all of the last `stable` seconds (a rollout dips for less). At the end of the window what was not
    good all the time may still become so, and what has just turned worse may be a dip: until the deadline, when what
    is worse is not left so.
    """
    if not looks:
        return None
    last = looks[-1].at
    if _since(looks, _good) >= rules.stable:
        return Aftermath.RESOLVED
    worse = looks[-1].health.ready < baseline.ready
    if _since(looks, lambda now, _: now.health.ready < baseline.ready) >= rules.stable:
        return Aftermath.WORSE
    if last >= rules.deadline:
        return Aftermath.WORSE if worse else Aftermath.UNRESOLVED
    open_still = worse or _since(looks, _good) > 0 or _moving(looks, rules)
    return None if last < rules.window or open_still else Aftermath.UNRESOLVED


def _good(now: Look, before: Look | None) -> bool:
    return now.health.good and (before is None or now.health.crashes <= before.health.crashes)


def _moving(looks: Sequence[Look], rules: WatchRules) -> bool:
    """Whether more became ready within the last `stable` seconds: a slow start is no failure."""
    then = next((look for look in looks if look.at >= looks[-1].at - rules.stable), looks[0])
    return looks[-1].health.ready > then.health.ready


def _since(looks: Sequence[Look], holds: Holds) -> float:
    """For how many seconds, up to the last look, every look has fulfilled the condition."""
    began: float | None = None
    for index in range(len(looks) - 1, -1, -1):
        if not holds(looks[index], looks[index - 1] if index else None):
            break
        began = looks[index].at
    return 0.0 if began is None else looks[-1].at - began
