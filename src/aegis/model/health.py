"""How much of a workload or a Service answers: what production is held against after a change."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """One look at what should be ready.

    Attributes:
        wanted: how many pods (of a workload) or endpoints (of a Service) there should be.
        ready: how many are.
        crashes: how often containers of the pods there are now have ended and been started again.
        settled: whether the controller has seen the newest specification and finished rolling it out.
    """

    wanted: int
    ready: int
    crashes: int = 0
    settled: bool = True

    @property
    def good(self) -> bool:
        """Whether all that should be ready is, as the newest specification says it."""
        return self.settled and self.ready >= self.wanted > 0
