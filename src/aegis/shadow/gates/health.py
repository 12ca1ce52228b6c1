"""Does the fixed workload stay ready, without a crash and without flapping?"""

from __future__ import annotations

from aegis.model.verdict import GateResult
from aegis.shadow import judge
from aegis.shadow.case import Stage, Trial


class Health:
    """See `aegis.shadow.judge.health`."""

    name = judge.HEALTH
    required = True
    stage = Stage.WATCH
    order = 3
    weight = judge.STABILITY_WEIGHT

    async def judge(self, trial: Trial) -> GateResult:
        """The judge's word, or that it is open."""
        return judge.health(trial.pair, trial.rules) or judge.unfinished(self.name, self.weight)


PLUGIN = Health()
