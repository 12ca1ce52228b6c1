"""Does the fixed workload complain of something in its log that neither other arm complains of?"""

from __future__ import annotations

from aegis.errors import AegisError
from aegis.model.verdict import GateResult
from aegis.shadow.case import Stage, Trial
from aegis.shadow.comparison import LOGS, LOGS_WEIGHT, inapplicable, new_signatures, unread
from aegis.shadow.complaints import lines_of


class Logs:
    """See `aegis.shadow.comparison.new_signatures`."""

    name = LOGS
    required = False
    stage = Stage.AFTER
    order = 5
    weight = LOGS_WEIGHT

    async def judge(self, trial: Trial) -> GateResult:
        """The comparison's word; it does not apply where there is nothing to compare with."""
        good = trial.measuring.good if trial.measuring is not None else None
        if good is None:
            why = trial.measuring.why_alone if trial.measuring is not None else trial.baseline.absent
            return inapplicable(self.name, why)
        reader = trial.tools.reader
        try:
            mine = await lines_of(reader, trial.tried["c"])
            theirs = await lines_of(reader, good.pods())
            broken = await lines_of(reader, trial.tried["r"])
        except AegisError as error:
            return unread(self.name, f"INFRA: {error.message}")
        return new_signatures(mine, theirs, broken)


PLUGIN = Logs()
