"""Is the fixed workload no worse, by the Pod Security Standards, than what it replaces?"""

from __future__ import annotations

from dataclasses import dataclass, replace

from aegis.model.verdict import GateResult, Outcome
from aegis.shadow.case import Trial
from aegis.shadow.scanner_gate import ScannerGate


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSecurityGate(ScannerGate):
    """Compares what the API server holds of both arms, after admission; it needs no tool, so there is no excuse."""

    required: bool = True

    async def judge(self, trial: Trial) -> GateResult:
        """PASSED where the fix brings no new finding; ERRORED where not every fixed workload could be looked at."""
        gate = await ScannerGate.judge(self, trial)
        if gate.outcome is not Outcome.PASSED:
            return gate
        _, looks = trial.scanned[self.name]
        covered = sum(len(look.result.coverage.scanned) for look in looks.after)
        if covered < len(trial.plan.trials):
            reason = "not every workload could be looked at"
            return replace(gate, outcome=Outcome.ERRORED, reason=reason, inconclusive=True)
        return gate


PLUGIN = PodSecurityGate(name="podsecurity", order=1)
