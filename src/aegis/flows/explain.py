"""The steps that explain and try: analyze, choose a fix, the shadow."""

from __future__ import annotations

import secrets

from aegis.delivery.owners import owner_of
from aegis.delivery.stood import stand
from aegis.errors import UsageError
from aegis.flows.decide import Reason
from aegis.flows.events import Analyzed, Event, FixChosen, ShadowReserved, ShadowSwept, Stopped, Tried
from aegis.flows.tools import Tools
from aegis.model.changes import ChangeSet, Fix
from aegis.model.diagnosis import Diagnosis
from aegis.model.incident import Incident


async def analyze(tools: Tools, incident: Incident) -> Event:
    """Read and explain."""
    tools.progress("reading the evidence", target=str(incident.target))
    evidence, diagnosis = await tools.investigate(incident.target)
    tools.progress("explained", verdict=diagnosis.verdict.value, cause=diagnosis.cause or "none")
    return Analyzed(evidence=evidence, diagnosis=diagnosis)


async def choose_fix(tools: Tools, incident: Incident) -> Event:
    """The fix to try, if there is one that may be tried and its object is ours to change."""
    fix = choose(incident.diagnosis, tools.fix_id) if incident.diagnosis else None
    if fix is None:
        return Stopped(reason=Reason.NEEDS_HUMAN, message=_what_is_needed(incident.diagnosis))
    tools.progress("fix", summary=fix.summary, risk=fix.risk.value)
    return FixChosen(fix=fix)


def choose(diagnosis: Diagnosis, fix_id: str = "") -> Fix | None:
    """The fix of that id, or the best that needs nobody; None where there is none.

    Raises:
        UsageError: if there is no fix of that id, or it still lacks what only a person knows.
    """
    if not fix_id:
        return next((fix for fix in diagnosis.fixes if fix.change_set is not None and fix.needs is None), None)
    fix = next((fix for fix in diagnosis.fixes if fix.id == fix_id), None)
    known = ", ".join(fix.id for fix in diagnosis.fixes) or "none"
    if fix is None:
        raise UsageError(f"the diagnosis has no fix {fix_id}", hint=f"Choose one of: {known}.")
    if fix.change_set is None:
        raise UsageError(f"the fix {fix_id} lacks what only a person knows", hint="Give it whole with --changes FILE.")
    return fix


async def reserve_shadow(tools: Tools, incident: Incident) -> Event:
    """A name for the shadow, and how all that it copies stands. What GitOps owns is refused here, before minutes are spent on it."""
    change_set = _change_set(incident)
    for change in change_set.changes:
        owner = await owner_of(tools.reader, change.target)
        if owner is not None and tools.emit is None:
            return Stopped(
                reason=Reason.GITOPS_OWNED,
                message=f"{owner.owner} owns {change.target} and would write it back: use --emit DIR",
            )
    stood = await stand(tools.reader, incident.target, change_set.changes)
    return ShadowReserved(shadow_id=secrets.token_hex(4), stood=stood)


async def try_fix(tools: Tools, incident: Incident) -> Event:
    """Red, then green."""
    verdict, security = await tools.try_fix(incident)
    tools.progress("verdict", decision=verdict.decision.value, reason=verdict.reason)
    return Tried(verdict=verdict, security=security)


async def sweep(tools: Tools, incident: Incident) -> Event:
    """Remove what a trial that was cut off left behind."""
    left = await tools.sweep(incident.shadow_id)
    tools.progress("swept the shadow of an earlier run" if left else "nothing was left of an earlier run")
    return ShadowSwept()


def _change_set(incident: Incident) -> ChangeSet:
    assert incident.fix is not None  # noqa: S101 - `next_step` comes here only with a fix
    assert incident.fix.change_set is not None  # noqa: S101
    return incident.fix.change_set


def _what_is_needed(diagnosis: Diagnosis | None) -> str:
    waiting = [fix for fix in diagnosis.fixes if fix.needs] if diagnosis else []
    if not waiting:
        return "no fix is known whose every value has a source; give one with --changes FILE"
    return "a person must decide or supply something: " + "; ".join(f"{fix.id}: {fix.summary}" for fix in waiting)
