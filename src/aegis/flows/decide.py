"""What comes next in a remediation, and what it makes of the incident. Pure: the state that was stored decides.

```
Detected ─▶ Analyzing ─▶ AwaitingApproval ─▶ ApplyingFix ─▶ Monitoring ─▶ Resolved
                │               │                 │              │
                └───────────────┴── Failed · Rejected · Timeout ─┴─▶ (rolled back) Failed
```

Whatever a step must not do twice is stored before it is done: the shadow's name before its first object, the undo
before the change, the intention to roll back before the roll-back. So a process may end anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from aegis.delivery.regression import Aftermath
from aegis.errors import Defect
from aegis.flows.events import (
    Analyzed,
    Applied,
    Approved,
    Asked,
    Begun,
    Declined,
    Event,
    Expired,
    FixChosen,
    HalfApplied,
    HandedOff,
    RolledBack,
    ShadowReserved,
    ShadowSwept,
    Stopped,
    Tried,
    UndoPrepared,
    Watched,
)
from aegis.model.diagnosis import Confidence
from aegis.model.incident import Incident, Phase
from aegis.model.verdict import Decision


class Step(StrEnum):
    """One thing to do, each with one event as its outcome."""

    BEGIN = "begin"
    ANALYZE = "analyze"
    CHOOSE_FIX = "choose-fix"
    SWEEP = "sweep"
    RESERVE_SHADOW = "reserve-shadow"
    TRY = "try"
    PREPARE_QUESTION = "prepare-question"
    ASK_APPROVAL = "ask-approval"
    PREPARE_UNDO = "prepare-undo"
    APPLY = "apply"
    WATCH = "watch"
    ROLL_BACK = "roll-back"
    HAND_OFF = "hand-off"


class Reason(StrEnum):
    """Why an incident ended as it did (`Incident.reason`); a verdict's own reasons come besides."""

    HEALTHY = "Healthy"
    HANDED_OFF = "HandedOff"
    INCONCLUSIVE = "Inconclusive"
    NEEDS_HUMAN = "NeedsHuman"
    DRIFTED = "Drifted"
    ROLLED_BACK = "RolledBack"
    NOT_RESOLVED = "NotResolved"
    GITOPS_OWNED = "GitOpsOwned"
    REFUSED = "Refused"
    SUPERSEDED = "Superseded"
    EXPIRED = "ApprovalExpired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What whoever runs the flow wants of it.

    Attributes:
        emit: hand the fix over as files instead of applying it.
        dry_run: stop before production would be written, even where the yes was given already.
    """

    emit: bool = False
    dry_run: bool = False


def next_step(incident: Incident, intent: Intent | None = None) -> Step | None:
    """What to do next; None when it is over."""
    match incident.phase:
        case Phase.DETECTED:
            return Step.BEGIN
        case Phase.ANALYZING:
            return _analyzing(incident)
        case Phase.AWAITING_APPROVAL:
            return _awaiting(incident, intent or Intent())
        case Phase.APPLYING_FIX:
            return Step.APPLY
        case Phase.MONITORING:
            return Step.ROLL_BACK if incident.rolling_back else Step.WATCH
        case _:
            return None


def first_after_crash(incident: Incident) -> Step | None:
    """What must be done first about an incident that another process left half-way; None: go on as stored."""
    tried_half = incident.phase is Phase.ANALYZING and incident.shadow_id and incident.verdict is None
    return Step.SWEEP if tried_half else None


def _analyzing(incident: Incident) -> Step:
    if incident.diagnosis is None:
        return Step.ANALYZE
    if incident.fix is None or incident.fix.change_set is None:
        return Step.CHOOSE_FIX
    return Step.TRY if incident.shadow_id else Step.RESERVE_SHADOW


def _awaiting(incident: Incident, intent: Intent) -> Step | None:
    if intent.emit:
        return Step.HAND_OFF
    if incident.approval is not None:
        return None if intent.dry_run else Step.PREPARE_UNDO
    return Step.ASK_APPROVAL if incident.nonce else Step.PREPARE_QUESTION


_WHEN: dict[type, frozenset[Phase]] = {
    Begun: frozenset({Phase.DETECTED}),
    Analyzed: frozenset({Phase.ANALYZING}),
    FixChosen: frozenset({Phase.ANALYZING}),
    ShadowReserved: frozenset({Phase.ANALYZING}),
    ShadowSwept: frozenset({Phase.ANALYZING}),
    Tried: frozenset({Phase.ANALYZING}),
    Asked: frozenset({Phase.AWAITING_APPROVAL}),
    Approved: frozenset({Phase.AWAITING_APPROVAL}),
    Declined: frozenset({Phase.DETECTED, Phase.ANALYZING, Phase.AWAITING_APPROVAL}),
    Expired: frozenset({Phase.AWAITING_APPROVAL, Phase.APPLYING_FIX}),
    UndoPrepared: frozenset({Phase.AWAITING_APPROVAL}),
    Applied: frozenset({Phase.APPLYING_FIX}),
    HalfApplied: frozenset({Phase.APPLYING_FIX}),
    Watched: frozenset({Phase.MONITORING}),
    RolledBack: frozenset({Phase.MONITORING}),
    HandedOff: frozenset({Phase.AWAITING_APPROVAL}),
    Stopped: frozenset(phase for phase in Phase if not phase.final),
}


def advance(incident: Incident, event: Event) -> Incident:
    """The incident after the event.

    Raises:
        Defect: if the event cannot happen in the incident's phase (an approval of what is already over, say).
    """
    if incident.phase not in _WHEN[type(event)]:
        raise Defect(f"{type(event).__name__} cannot happen to an incident that is {incident.phase}")
    return replace(incident, **_news(incident, event))


def _news(incident: Incident, event: Event) -> dict[str, Any]:
    match event:
        case Begun() | Analyzed() | FixChosen() | ShadowReserved() | ShadowSwept() | Tried():
            return _while_analyzing(incident, event)
        case Asked() | Approved() | Declined() | Expired() | UndoPrepared() | HandedOff():
            return _while_awaiting(event)
        case Applied() | HalfApplied() | Watched() | RolledBack():
            return _once_applied(event)
        case Stopped(reason=reason, message=message):
            return {"phase": Phase.FAILED, "reason": reason, "message": message}


def _while_analyzing(
    incident: Incident, event: Begun | Analyzed | FixChosen | ShadowReserved | ShadowSwept | Tried
) -> dict[str, Any]:
    match event:
        case Begun():
            return {"phase": Phase.ANALYZING}
        case Analyzed():
            return _explained(incident, event)
        case FixChosen(fix=fix):
            return {"fix": fix}
        case ShadowReserved(shadow_id=shadow_id, stood=stood):
            return {"shadow_id": shadow_id, "stood": stood}
        case ShadowSwept():
            return {"shadow_id": "", "attempts": incident.attempts + 1}
        case Tried():
            return _judged(incident, event)


def _explained(incident: Incident, event: Analyzed) -> dict[str, Any]:
    news: dict[str, Any] = {"evidence": event.evidence, "diagnosis": event.diagnosis}
    if event.diagnosis.verdict is Confidence.HEALTHY and not incident.given:
        return {**news, "phase": Phase.RESOLVED, "reason": Reason.HEALTHY.value, "message": event.diagnosis.explanation}
    if event.diagnosis.verdict is Confidence.INCONCLUSIVE and not incident.given:
        return {
            **news,
            "phase": Phase.FAILED,
            "reason": Reason.INCONCLUSIVE.value,
            "message": event.diagnosis.explanation,
        }
    return news


def _judged(incident: Incident, event: Tried) -> dict[str, Any]:
    change_set = incident.fix.change_set if incident.fix else None
    tried = change_set.digest if change_set else ""
    news: dict[str, Any] = {"verdict": event.verdict, "security": event.security, "tried_digest": tried}
    if event.verdict.decision is Decision.ACCEPT:
        return {**news, "phase": Phase.AWAITING_APPROVAL}
    return {**news, "phase": Phase.FAILED, "reason": event.verdict.reason, "message": _why(event)}


def _why(event: Tried) -> str:
    """The reasons of the gates that kept the verdict from ACCEPT."""
    against = [gate for gate in event.verdict.gates if gate.outcome.value in {"FAILED", "ERRORED"} or gate.inconclusive]
    return "; ".join(f"{gate.gate}: {gate.reason}" for gate in against if gate.reason)


def _while_awaiting(event: Asked | Approved | Declined | Expired | UndoPrepared | HandedOff) -> dict[str, Any]:
    match event:
        case Asked(nonce=nonce, at=at):
            return {"nonce": nonce, "asked_at": at}
        case Approved(approval=approval):
            return {"approval": approval}
        case Declined(by=by, why=why):
            return {"phase": Phase.REJECTED, "reason": why, "message": f"rejected by {by}"}
        case Expired(message=message):
            return {"phase": Phase.TIMEOUT, "reason": Reason.EXPIRED.value, "message": message}
        case UndoPrepared(undo=undo, baseline=baseline):
            return {"phase": Phase.APPLYING_FIX, "undo": undo, "baseline": baseline}
        case HandedOff(handoff=handoff):
            return {"phase": Phase.RESOLVED, "reason": Reason.HANDED_OFF.value, "handoff": handoff}


def _once_applied(event: Applied | HalfApplied | Watched | RolledBack) -> dict[str, Any]:
    match event:
        case Applied(at=at):
            return {"phase": Phase.MONITORING, "applied_at": at}
        case HalfApplied(message=message, at=at):
            return {"phase": Phase.MONITORING, "applied_at": at, "rolling_back": True, "message": message}
        case Watched(aftermath=aftermath, message=message):
            return _after_watch(aftermath, message)
        case RolledBack():
            return {"phase": Phase.FAILED, "reason": Reason.ROLLED_BACK.value, "rolled_back": True}


def _after_watch(aftermath: Aftermath, message: str) -> dict[str, Any]:
    match aftermath:
        case Aftermath.RESOLVED:
            return {"phase": Phase.RESOLVED, "message": message}
        case Aftermath.WORSE:
            return {"rolling_back": True, "message": message}
        case Aftermath.UNRESOLVED:
            return {"phase": Phase.FAILED, "reason": Reason.NOT_RESOLVED.value, "message": message}
        case Aftermath.REPLACED:
            return {"phase": Phase.FAILED, "reason": Reason.DRIFTED.value, "message": message}
