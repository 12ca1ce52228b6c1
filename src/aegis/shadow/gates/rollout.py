"""Does the fixed workload roll out: newest generation seen, all pods updated and available, in time?"""

from __future__ import annotations

from aegis.model.verdict import GateResult
from aegis.shadow import judge
from aegis.shadow.case import Stage, Trial


class Rollout:
    """See `aegis.shadow.judge.rollout`."""

    name = judge.ROLLOUT
    required = True
    stage = Stage.WATCH
    order = 1
    weight = 0

    async def judge(self, trial: Trial) -> GateResult:
        """The judge's word, or that it is open."""
        return judge.rollout(trial.pair, trial.rules) or judge.unfinished(self.name)


PLUGIN = Rollout()
