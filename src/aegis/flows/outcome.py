"""What an incident's state means outside: the exit status, and `kind: Remediation` of CONTRACT.md."""

from __future__ import annotations

from collections.abc import Mapping

from aegis.flows.decide import Reason
from aegis.model.diagnosis import diagnosis_to_dict
from aegis.model.incident import Incident, Phase
from aegis.model.refs import JsonObject
from aegis.model.verdict import Decision

DONE, NO, INCONCLUSIVE, REFUSED = 0, 1, 3, 4

_FAILED: dict[str, int] = {
    Reason.DRIFTED: REFUSED,
    Reason.GITOPS_OWNED: REFUSED,
    Reason.REFUSED: REFUSED,
    Reason.ROLLED_BACK: NO,
    Reason.NOT_RESOLVED: NO,
    Reason.INCONCLUSIVE: INCONCLUSIVE,
    Reason.NEEDS_HUMAN: INCONCLUSIVE,
}


def exit_status(incident: Incident) -> int:
    """The exit status that says how an incident stands: 0, 1, 3 or 4 (CONTRACT.md)."""
    match incident.phase:
        case Phase.RESOLVED:
            return DONE
        case Phase.REJECTED | Phase.TIMEOUT | Phase.AWAITING_APPROVAL:
            return REFUSED
        case Phase.FAILED if incident.reason in _FAILED:
            return _FAILED[incident.reason]
        case Phase.FAILED if incident.verdict is not None and incident.verdict.decision is Decision.REJECT:
            return NO
        case _:
            return INCONCLUSIVE


def remediation_to_dict(
    incident: Incident, *, metrics: Mapping[str, object] | None = None, links: Mapping[str, str] | None = None
) -> JsonObject:
    """`kind: Remediation` of CONTRACT.md."""
    diagnosis = incident.diagnosis
    return {
        "apiVersion": "aegis.io/v1",
        "kind": "Remediation",
        "incident": incident.id,
        "target": incident.target.to_dict(),
        "phase": incident.phase.value,
        "reason": incident.reason,
        "message": incident.message,
        "diagnosis": diagnosis_to_dict(diagnosis, incident.evidence, metrics=metrics, links=links)
        if diagnosis
        else None,
        "fix": incident.fix.to_dict() if incident.fix else None,
        "verdict": incident.verdict.to_dict() if incident.verdict else None,
        "security": incident.security.to_dict() if incident.security else None,
        "approval": incident.approval.to_dict() if incident.approval else None,
        "applied": incident.applied_at is not None,
        "rolled_back": incident.rolled_back,
        "handoff": incident.handoff.to_dict() if incident.handoff else None,
        "audit": {"first": incident.audit_first, "last": incident.audit_last},
    }
