"""Red, then green: does the workload fail in the shadow as in production, and with the fix not?"""

from __future__ import annotations

from aegis.model.verdict import GateResult
from aegis.shadow import judge
from aegis.shadow.case import Stage, Trial


class Reproduction:
    """See `aegis.shadow.judge.reproduction`."""

    name = judge.REPRODUCTION
    required = True
    stage = Stage.WATCH
    order = 2
    weight = judge.REPRODUCTION_WEIGHT

    async def judge(self, trial: Trial) -> GateResult:
        """The judge's word, or that it is open."""
        return judge.reproduction(trial.pair, trial.rules) or judge.unfinished(self.name, self.weight)


PLUGIN = Reproduction()
