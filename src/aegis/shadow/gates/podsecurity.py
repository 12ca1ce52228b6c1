"""Is the fixed workload no worse, by the Pod Security Standards, than what it replaces?"""

from __future__ import annotations

from dataclasses import replace

from aegis.model.security import SecurityComparison
from aegis.model.verdict import GateResult, Outcome
from aegis.security.policy import SecurityPolicy
from aegis.security.scanners.podsecurity import look
from aegis.shadow.case import Stage, Trial


class PodSecurityGate:
    """Compares what the API server holds of both arms, after admission."""

    name = "podsecurity"
    required = True
    stage = Stage.STATIC
    order = 1
    weight = 0

    async def judge(self, trial: Trial) -> GateResult:
        """PASSED where the fix brings no new finding; ERRORED where not all of the fixed objects could be looked at."""
        before, after = (look(trial.manifests.get(arm, [])) for arm in ("r", "c"))
        trial.security = SecurityComparison(before=before.findings, after=after.findings)
        objections = SecurityPolicy().objections(trial.security)
        covered = len(after.coverage.scanned)
        gate = GateResult(
            gate=self.name,
            outcome=Outcome.PASSED,
            required=True,
            measured=float(len(objections)),
            threshold=0.0,
            unit="new findings",
            coverage=f"{covered} of {len(trial.plan.trials)} workloads, baseline and restricted",
        )
        return _with_outcome(gate, objections=[item.description for item in objections], covered=covered, trial=trial)


def _with_outcome(gate: GateResult, *, objections: list[str], covered: int, trial: Trial) -> GateResult:
    if objections:
        reason = "the fix is worse than what it replaces: " + " ".join(objections[:3])
        return replace(gate, outcome=Outcome.FAILED, reason=reason)
    if covered < len(trial.plan.trials):
        reason = "not every workload could be looked at"
        return replace(gate, outcome=Outcome.ERRORED, reason=reason, inconclusive=True)
    return gate


PLUGIN = PodSecurityGate()
