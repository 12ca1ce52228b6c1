"""Does the fixed workload answer as fast as the last good revision does?"""

from __future__ import annotations

from aegis.model.verdict import GateResult
from aegis.shadow.case import Stage, Trial
from aegis.shadow.comparison import LATENCY, LATENCY_WEIGHT, unread


class Latency:
    """What came of the requests that were sent while the arms were watched; see `aegis.shadow.comparison.latency`."""

    name = LATENCY
    required = False
    stage = Stage.AFTER
    order = 3
    weight = LATENCY_WEIGHT

    async def judge(self, trial: Trial) -> GateResult:
        """The comparison's word; unread where no requests were sent."""
        measured = trial.measuring.results if trial.measuring is not None else {}
        return measured.get(self.name) or unread(self.name, "INFRA: no requests were sent")


PLUGIN = Latency()
