"""The steps that ask and deliver: the question, the undo, the change, the watch, the way back, the hand-off."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime

from aegis.delivery.apply import Drifted, Hands, Standing, establish, make, recheck, take_back
from aegis.delivery.approval import ApprovalExpired, ApprovalVoid, Proposal, approve, check, evidence_root, require_time
from aegis.delivery.handoff import Owner, emit
from aegis.delivery.owners import owner_of
from aegis.delivery.preview import Preview, preview
from aegis.delivery.regression import Aftermath
from aegis.delivery.stood import moved, stand
from aegis.delivery.watch import Watched as Subject
from aegis.delivery.watch import health_of, watch
from aegis.drivers.shielding import shielded
from aegis.errors import Conflict, Defect, Invalid, NotFound, Refused
from aegis.flows.decide import Reason
from aegis.flows.events import (
    Applied,
    Approved,
    Asked,
    Declined,
    Event,
    Expired,
    HalfApplied,
    HandedOff,
    RolledBack,
    Stopped,
    UndoPrepared,
    Watched,
)
from aegis.flows.outcome import remediation_to_dict
from aegis.flows.tools import Answer, Question, Tools
from aegis.model.changes import ChangeSet
from aegis.model.diagnosis import Confidence
from aegis.model.health import Health
from aegis.model.incident import Incident, Undo
from aegis.model.refs import ObjectRef
from aegis.model.verdict import Decision
from aegis.ports import Purpose

_NOTHING = Health(wanted=0, ready=0)


async def prepare_question(tools: Tools, incident: Incident) -> Event:
    """Is it still what was tried? Then the question gets its number and its time."""
    try:
        await _require_as_tried(tools, incident)
    except Drifted as error:
        return Stopped(reason=Reason.DRIFTED, message=error.message)
    return Asked(nonce=secrets.token_hex(8), at=tools.now())


async def ask_approval(tools: Tools, incident: Incident) -> Event | None:
    """Show everything and ask; None where nobody was there to answer: the question stands."""
    try:
        shown, proposal = await propose(tools, incident)
        require_time(proposal, tools.now())
        question = Question(incident=incident, cluster=tools.cluster, user=tools.user, preview=shown, proposal=proposal)
        return _answered(tools, question, await tools.approver.ask(question))
    except (Refused, Invalid, NotFound) as error:
        return _why_not(error)


def _answered(tools: Tools, question: Question, answer: Answer) -> Event | None:
    if answer.yes is None:
        tools.progress(answer.why or "nobody to ask")
        return None
    if not answer.yes:
        return Declined(by=tools.user.name, why=answer.why)
    return Approved(approval=approve(question.proposal, by=tools.user.name, at=tools.now()))


def _why_not(error: Refused | Invalid | NotFound) -> Expired | Stopped:
    """What a refusal before anything was written makes of the incident."""
    match error:
        case ApprovalExpired():
            return Expired(message=error.message)
        case Drifted() | ApprovalVoid() | NotFound():
            return Stopped(reason=Reason.DRIFTED, message=error.message)
        case _:
            return Stopped(reason=Reason.REFUSED, message=_with_hint(error))


async def propose(tools: Tools, incident: Incident) -> tuple[Preview, Proposal]:
    """What a yes would be bound to now.

    Raises:
        Drifted: if production is not what was tried.
        Refused: if a rule forbids the change, or it is not the one that was tried and accepted.
    """
    change_set = _change_set(incident)
    _require_accepted(incident, change_set)
    await _require_as_tried(tools, incident)
    shown = await preview(tools.reader, tools.actuator, change_set.changes, _purpose(incident))
    return shown, Proposal(
        cluster_uid=incident.cluster_uid,
        target_uid=change_set.target_uid,
        spec_hash=change_set.spec_hash,
        change_set=change_set,
        diff=shown.diff(),
        evidence_root=evidence_root(incident),
        policy_version=tools.policy.version,
        expires_at=_asked_at(incident) + tools.policy.approval,
        nonce=incident.nonce,
    )


def _require_accepted(incident: Incident, change_set: ChangeSet) -> None:
    verdict = incident.verdict
    if verdict is None or verdict.decision is not Decision.ACCEPT or incident.tried_digest != change_set.digest:
        raise Refused(
            f"the change of {change_set.target} is not one that a trial accepted",
            hint="Run aegis fix again: it tries anew.",
        )


async def _require_as_tried(tools: Tools, incident: Incident) -> None:
    """All that the trial rests on stands as it stood then.

    Raises:
        Drifted: if any of it does not.
    """
    change_set = _change_set(incident)
    await recheck(tools.reader, change_set)
    names = moved(incident.stood, await stand(tools.reader, incident.target, change_set.changes))
    if names:
        raise Drifted(f"changed since the trial: {', '.join(names)}", hint="Run aegis fix again: it tries anew.")


async def prepare_undo(tools: Tools, incident: Incident) -> Event:
    """Recompute what was approved; where it still is that, remember the way back."""
    assert incident.approval is not None  # noqa: S101 - `next_step` comes here only with one
    try:
        shown, proposal = await propose(tools, incident)
        check(incident.approval, proposal, now=tools.now())
    except (Refused, Invalid, NotFound) as error:
        return _why_not(error)
    baseline = await health_of(tools.reader, _watched_refs(incident))
    return UndoPrepared(undo=shown.undo(), baseline=baseline or _NOTHING)


async def apply(tools: Tools, incident: Incident) -> Event:
    """Make the change; of what an earlier process began, only the rest."""
    change_set, undo = _change_set(incident), _undo(incident)
    before = set((await establish(tools.reader, change_set.changes, undo)).values())
    if before == {Standing.BEFORE} and incident.approval and tools.now() >= incident.approval.expires_at:
        return Expired(message=ApprovalExpired(incident.approval.expires_at).message)
    if Standing.NEITHER in before:
        drifted = Drifted(f"of {_names(change_set)} somebody else changed one; nothing more is written")
        if Standing.AFTER in before:
            return HalfApplied(message=drifted.message, at=tools.now())
        return _paged(tools, drifted)
    tools.progress("applying what was approved", target=str(change_set.target))
    try:
        if before == {Standing.BEFORE}:
            await _require_as_tried(tools, incident)
        await make(_hands(tools, incident), change_set.changes, undo)
    except (Refused, Conflict, Invalid, NotFound) as error:
        return await _after_failed_apply(tools, incident, error)
    return Applied(at=tools.now())


async def _after_failed_apply(
    tools: Tools, incident: Incident, error: Refused | Conflict | Invalid | NotFound
) -> Event:
    """What was made already goes back; where nothing was, the matter ends.

    All of it may have been made: by a write of a process that died, which arrived only now.
    """
    stands = await establish(tools.reader, _change_set(incident).changes, _undo(incident))
    if set(stands.values()) == {Standing.AFTER}:
        return Applied(at=tools.now())
    if Standing.AFTER in stands.values():
        return HalfApplied(message=error.message, at=tools.now())
    if isinstance(error, Drifted | NotFound):
        return _paged(tools, Drifted(error.message))
    return Stopped(reason=Reason.REFUSED, message=_with_hint(error))


async def watch_production(tools: Tools, incident: Incident) -> Event:
    """Look until it is clear; then let the same eyes that found the fault look for it again."""
    change_set, undo = _change_set(incident), _undo(incident)
    baseline = incident.baseline or _NOTHING
    subject = Subject(changes=change_set.changes, undo=undo, refs=_watched_refs(incident), baseline=baseline)
    rules = tools.policy.watch.scaled(tools.cluster.time_scale)
    seen = await watch(tools.reader, subject, rules, tools.progress)
    if seen is Aftermath.RESOLVED:
        return await _confirmed(tools, incident)
    messages = {
        Aftermath.WORSE: f"fewer than the {baseline.ready} of {baseline.wanted} that were ready before",
        Aftermath.UNRESOLVED: "the symptom is still there; nothing is worse than before, so the change stays",
        Aftermath.REPLACED: "somebody else changed what had been applied: a person must look",
    }
    return Watched(aftermath=seen, message=messages[seen])


async def _confirmed(tools: Tools, incident: Incident) -> Event:
    _, after = await tools.investigate(incident.target)
    cause = incident.diagnosis.cause if incident.diagnosis else None
    if after.verdict is Confidence.HEALTHY or after.cause != cause or cause is None:
        return Watched(aftermath=Aftermath.RESOLVED, message="the symptom is gone and stayed so")
    return Watched(aftermath=Aftermath.UNRESOLVED, message=f"ready, yet {after.cause} is still there")


async def roll_back(tools: Tools, incident: Incident) -> Event:
    """Take the change back, once, even while everything else is being stopped."""
    tools.progress("taking the change back", target=str(_change_set(incident).target))
    hands = replace(_hands(tools, incident), purpose=Purpose(kind="undo", incident=incident.id))
    try:
        await shielded(take_back(hands, _undo(incident)))
    except (Drifted, Conflict) as error:
        return _paged(tools, Drifted(error.message))
    return RolledBack()


async def hand_off(tools: Tools, incident: Incident) -> Event:
    """Write the files for the owner.

    Raises:
        Defect: if nobody named a folder.
    """
    if tools.emit is None:
        raise Defect("a hand-off without a folder")
    try:
        _require_accepted(incident, _change_set(incident))
        await _require_as_tried(tools, incident)
    except Refused as error:
        return _why_not(error)
    owner = await owner_of(tools.reader, _change_set(incident).target)
    document = remediation_to_dict(incident)
    return HandedOff(handoff=emit(tools.emit, incident, owner or Owner(), document))


def _paged(tools: Tools, error: Drifted) -> Stopped:
    tools.progress("a person must look", why=error.message)
    return Stopped(reason=Reason.DRIFTED, message=error.message)


def _names(change_set: ChangeSet) -> str:
    return ", ".join(str(change.target) for change in change_set.changes)


def _with_hint(error: Refused | Conflict | Invalid) -> str:
    return f"{error.message}. {error.hint}" if error.hint else error.message


def _watched_refs(incident: Incident) -> tuple[ObjectRef, ...]:
    """What was reported, and what was changed."""
    return tuple(dict.fromkeys((incident.target, _change_set(incident).target)))


def _hands(tools: Tools, incident: Incident) -> Hands:
    return Hands(reader=tools.reader, actuator=tools.actuator, purpose=_purpose(incident), fence=tools.fence)


def _purpose(incident: Incident) -> Purpose:
    return Purpose(kind="production", incident=incident.id)


def _change_set(incident: Incident) -> ChangeSet:
    if incident.fix is None or incident.fix.change_set is None:
        raise Defect(f"{incident.id} is {incident.phase} without a fix")
    return incident.fix.change_set


def _undo(incident: Incident) -> Undo:
    if incident.undo is None:
        raise Defect(f"{incident.id} is {incident.phase} without an undo")
    return incident.undo


def _asked_at(incident: Incident) -> datetime:
    if incident.asked_at is None:
        raise Defect(f"{incident.id} was never asked about")
    return incident.asked_at
