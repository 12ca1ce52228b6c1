"""Not part of this release: error rate, latency and memory under load. It stands in every verdict as not run, which is not passed."""

from __future__ import annotations

from aegis.model.verdict import GateResult, Outcome
from aegis.shadow.case import Stage, Trial


class Load:
    """Says that it was not run."""

    name = "load"
    required = False
    stage = Stage.ABSENT
    order = 1
    weight = 0

    async def judge(self, trial: Trial) -> GateResult:  # noqa: ARG002 - a gate is given the trial
        """Always SKIPPED, with the reason."""
        return GateResult(
            gate=self.name,
            outcome=Outcome.SKIPPED,
            required=False,
            reason="not part of this release: error rate, latency and memory under load",
        )


PLUGIN = Load()
