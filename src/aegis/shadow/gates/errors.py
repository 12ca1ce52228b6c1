"""Does the fixed workload fail more requests than the last good revision does?"""

from __future__ import annotations

from aegis.model.verdict import GateResult
from aegis.shadow.case import Stage, Trial
from aegis.shadow.comparison import ERRORS, ERRORS_WEIGHT, unread


class Errors:
    """What came of the requests that were sent while the arms were watched; see `aegis.shadow.comparison.errors`."""

    name = ERRORS
    required = False
    stage = Stage.AFTER
    order = 2
    weight = ERRORS_WEIGHT

    async def judge(self, trial: Trial) -> GateResult:
        """The comparison's word; unread where no requests were sent."""
        measured = trial.measuring.results if trial.measuring is not None else {}
        return measured.get(self.name) or unread(self.name, "INFRA: no requests were sent")


PLUGIN = Errors()
