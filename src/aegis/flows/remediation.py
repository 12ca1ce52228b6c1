"""One remediation, driven to its end: decide, do, note, store, and again.

`decide` is pure, the steps do, and this loop is all that joins them. An incident that another process left half-way
goes on from what was stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Protocol

from aegis.errors import Refused, UsageError
from aegis.flows import deliver, explain
from aegis.flows.decide import Intent, Reason, Step, advance, first_after_crash, next_step
from aegis.flows.events import Begun, Declined, Event
from aegis.flows.tools import Tools
from aegis.model.changes import Change, ChangeSet, Fix, Risk
from aegis.model.drift import spec_hash
from aegis.model.incident import Incident, Phase
from aegis.model.refs import JsonObject, ObjectRef
from aegis.ports import ClusterReader


class Reading(Protocol):
    """Who has a cluster to read."""

    @property
    def reader(self) -> ClusterReader:
        """Reads it."""
        ...


Perform = Callable[[Tools, Incident], Awaitable[Event | None]]

_IN_FLIGHT = frozenset({Step.PREPARE_UNDO, Step.APPLY, Step.WATCH, Step.ROLL_BACK})

_SOLE = frozenset({Step.RESERVE_SHADOW, Step.TRY, Step.PREPARE_QUESTION, Step.ASK_APPROVAL}) | _IN_FLIGHT
"""What nobody else may do about the same target meanwhile, on whatever machine."""

_DOUBTS_SHOWN = 5

_UNTOUCHED = frozenset({Phase.DETECTED, Phase.ANALYZING, Phase.AWAITING_APPROVAL})
"""Production was not touched: such an incident may be given up for another."""

_TOUCHED = frozenset({Phase.APPLYING_FIX, Phase.MONITORING})
"""Production may hold half of a change: somebody must finish it."""


async def _begin(_tools: Tools, _incident: Incident) -> Event:
    return Begun()


_PERFORM: dict[Step, Perform] = {
    Step.BEGIN: _begin,
    Step.ANALYZE: explain.analyze,
    Step.CHOOSE_FIX: explain.choose_fix,
    Step.SWEEP: explain.sweep,
    Step.RESERVE_SHADOW: explain.reserve_shadow,
    Step.TRY: explain.try_fix,
    Step.PREPARE_QUESTION: deliver.prepare_question,
    Step.ASK_APPROVAL: deliver.ask_approval,
    Step.PREPARE_UNDO: deliver.prepare_undo,
    Step.APPLY: deliver.apply,
    Step.WATCH: deliver.watch_production,
    Step.ROLL_BACK: deliver.roll_back,
    Step.HAND_OFF: deliver.hand_off,
}


async def open_incident(tools: Tools, target: ObjectRef, given: Fix | None = None) -> Incident:
    """A new incident about the target, or the one that is half done; one that asks for another fix is given up.

    Args:
        tools: what to act with.
        target: what was reported.
        given: a fix that a person brought.
    """
    for found in await tools.incidents.list(target=target, open_only=True):
        if found.phase not in _UNTOUCHED or await _goes_on(tools, found, given):
            tools.progress("taking up again", incident=found.id, phase=found.phase.value)
            if _is_another(tools, found, given):
                tools.progress("this finishes what an earlier run began; the fix that is asked for now is not tried")
            return found
        await _give_up(tools, found)
    incident = Incident(
        id=f"inc-{secrets.token_hex(5)}",
        cluster_uid=tools.cluster.uid,
        target=target,
        opened_at=tools.now(),
        fix=given,
        given=given is not None,
    )
    return await _store(tools, incident, "opened", {"given": given is not None})


async def run(tools: Tools, incident: Incident) -> Incident:
    """Step by step to the end, or to where only a person can go on.

    Raises:
        Conflict: if another process moved the incident on meanwhile.
        Refused: if another one remediates the same target, or another change of the same namespace is under way for
            too long, or half done.
        LeaseLost: if another one took the target over meanwhile.
    """
    if tools.dry_run and incident.phase in _TOUCHED:
        raise Refused(
            f"{incident.id} is {incident.phase}: production was touched already",
            hint="Run it without --dry-run: it finishes what was begun.",
        )
    intent = Intent(emit=tools.emit is not None, dry_run=tools.dry_run)
    step, sole, in_flight = first_after_crash(incident) or next_step(incident, intent), False, False
    async with AsyncExitStack() as held:
        while step is not None:
            if step in _SOLE and not sole and _may_write(tools, incident):
                tools = replace(tools, fence=await held.enter_async_context(tools.sole(incident)))
                sole = True
            if step in _IN_FLIGHT and not in_flight:
                await _alone(tools, incident, held)
                in_flight = True
            event = await _performed(tools, step, incident)
            if event is None:
                break
            incident = await _store(tools, advance(incident, event), step.value, {"event": type(event).__name__})
            tools.checkpoint(f"{step}: stored")
            step = next_step(incident, intent)
    return incident


def _may_write(tools: Tools, incident: Incident) -> bool:
    """Whether production may be written: who only tries and hands over needs no right to hold anything there."""
    return incident.phase in _TOUCHED or (tools.emit is None and not tools.dry_run)


async def _alone(tools: Tools, incident: Incident, held: AsyncExitStack) -> None:
    """One change at a time in each namespace that it touches, also where the process of another one died.

    Raises:
        Refused: if another one is half done there.
    """
    changes = incident.fix.change_set.changes if incident.fix and incident.fix.change_set else ()
    namespaces = {incident.target.namespace, *(change.target.namespace for change in changes)}
    for namespace in sorted(namespaces):
        await held.enter_async_context(tools.in_flight(namespace, incident.id))
    if incident.phase in _TOUCHED:
        return
    for other in await tools.incidents.list(open_only=True):
        if other.phase in _TOUCHED and other.target.namespace in namespaces and await _is_there(tools, other):
            raise Refused(
                f"{other.id} about {other.target} is half done ({other.phase})",
                hint=f"Finish it first: aegis fix {other.target.kind}/{other.target.name} -n {other.target.namespace}.",
            )


async def _is_there(tools: Tools, incident: Incident) -> bool:
    """Whether the target of an incident still exists: else nobody can take it up again."""
    return await tools.reader.find(incident.target) is not None


async def _performed(tools: Tools, step: Step, incident: Incident) -> Event | None:
    tools.checkpoint(f"{step}: before")
    event = await _PERFORM[step](tools, incident)
    tools.checkpoint(f"{step}: done")
    return event


async def reject(tools: Tools, incident: Incident, why: str) -> Incident:
    """A person's No.

    Raises:
        Refused: if production was touched already, or it is over.
    """
    if incident.phase not in _UNTOUCHED:
        raise Refused(f"{incident.id} is {incident.phase}: there is nothing to reject any more")
    if first_after_crash(incident):
        await tools.sweep(incident.shadow_id)
    return await _store(tools, advance(incident, Declined(by=tools.user.name, why=why)), "reject", {"why": why})


async def given_fix(tools: Reading, changes: Sequence[Change], *, doubts: Sequence[str] = ()) -> Fix:
    """The fix that a person brought, bound to what its first object holds now.

    Args:
        tools: what to read it with.
        changes: what it does.
        doubts: values of it that nothing in the cluster explains: then a person must look, and no `--yes` does.

    Raises:
        NotFound: if the object is not there.
        UsageError: if there is no change, or two of one object.
    """
    targets = [change.target for change in changes]
    if not targets or len(set(targets)) < len(targets):
        raise UsageError("the changes must name at least one object, and each object once")
    live = await tools.reader.get(targets[0])
    metadata = live.get("metadata") or {}
    change_set = ChangeSet(
        target=targets[0],
        target_uid=str(metadata.get("uid") or ""),
        base_generation=int(metadata.get("generation") or 0),
        spec_hash=spec_hash(live),
        changes=tuple(changes),
    )
    summary = f"the given change of {targets[0]}"
    if not doubts:
        return Fix(id="given", summary=summary, change_set=change_set, risk=Risk.MEDIUM)
    told = ", ".join(doubts[:_DOUBTS_SHOWN]) + (" and more" if len(doubts) > _DOUBTS_SHOWN else "")
    summary = f"{summary}, with values that nothing in the cluster explains: {told}"
    return Fix(id="given", summary=summary, change_set=change_set, risk=Risk.HIGH, needs="human")


def _is_another(tools: Tools, found: Incident, given: Fix | None) -> bool:
    """Whether another fix is asked for now than the one that is half done."""
    if found.fix is None:
        return False
    if given is not None:
        return bool(given.to_dict()["changes"] != found.fix.to_dict()["changes"])
    return tools.fix_id not in {"", found.fix.id}


async def _goes_on(tools: Tools, found: Incident, given: Fix | None) -> bool:
    """Whether the half-done incident is what is asked for now, and its object is still what it was."""
    if found.asked_at is not None and tools.now() >= found.asked_at + tools.policy.approval:
        return False
    if found.given != (given is not None) or (tools.fix_id and found.fix and found.fix.id != tools.fix_id):
        return False
    if found.diagnosis is None and found.fix is None:
        return True
    fix = found.fix or (explain.choose(found.diagnosis, tools.fix_id) if found.diagnosis else None)
    if fix is None or fix.change_set is None:
        return False
    live = await tools.reader.find(fix.change_set.target)
    if live is None or spec_hash(live) != fix.change_set.spec_hash:
        return False
    return given is None or given.change_set is None or given.change_set.digest == fix.change_set.digest


async def _give_up(tools: Tools, found: Incident) -> None:
    if first_after_crash(found):
        await tools.sweep(found.shadow_id)
    event = Declined(by=tools.user.name, why=Reason.SUPERSEDED)
    await _store(tools, advance(found, event), "supersede", {})


async def _store(tools: Tools, incident: Incident, action: str, detail: JsonObject) -> Incident:
    record = await tools.audit.append(
        actor=tools.user.name,
        action=f"remediation.{action}",
        outcome="noted",
        incident=incident.id,
        subject=str(incident.target),
        detail={**detail, "phase": incident.phase.value, "reason": incident.reason},
    )
    first = incident.audit_first or record.sequence
    return await tools.incidents.save(replace(incident, audit_first=first, audit_last=record.sequence))
