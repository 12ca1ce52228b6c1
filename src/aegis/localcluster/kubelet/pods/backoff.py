"""Exponential back-off as the kubelet reckons it (client-go `flowcontrol.Backoff`).

Delays and windows pass at the cluster's pace; the nominal delay is what messages speak of.
"""

from __future__ import annotations

from dataclasses import dataclass

from aegis.localcluster.api import Pace

INITIAL_SECONDS = 10.0
MAX_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait after the newest of a row of failures.

    Attributes:
        delay: nominal seconds; 0 before the first failure.
        updated_at: when the delay was last raised, in seconds since the epoch.
    """

    delay: float = 0.0
    updated_at: float = 0.0

    def remaining(self, failed_at: float, now: float, pace: Pace) -> float:
        """Wall-clock seconds still to wait after a failure."""
        if not self.delay or self._forgotten(failed_at, pace):
            return 0.0
        return max(0.0, failed_at + pace.real(self.delay) - now)

    def raised(self, failed_at: float, now: float, pace: Pace) -> Backoff:
        """The back-off after one more failure; it starts over after a long time without."""
        fresh = not self.delay or self._forgotten(failed_at, pace)
        delay = INITIAL_SECONDS if fresh else min(self.delay * 2, MAX_SECONDS)
        return Backoff(delay=delay, updated_at=now)

    def _forgotten(self, failed_at: float, pace: Pace) -> bool:
        return failed_at - self.updated_at > pace.real(2 * MAX_SECONDS)


def go_duration(seconds: float) -> str:
    """Whole seconds as Go prints a duration: 10s, 2m40s, 5m0s."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
