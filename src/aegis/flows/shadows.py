"""Shadows that stand on their own: made, looked at, waited for, verified and removed; and what a dead process left, mended.

Who works with a shadow holds its lock, which the kernel drops with the process. So a shadow that is stored as being made,
verified or removed while nobody holds its lock was left half-way, and the next command that passes mends that.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from aegis.errors import AegisError, PermissionDenied, Refused, UsageError
from aegis.flows.tools import utc_now
from aegis.model.changes import Fix
from aegis.model.refs import ObjectRef
from aegis.model.shadow import LONGEST_LIFE, UNFINISHED, Seen, ShadowPhase, ShadowSession, Stage, Verification, phase_of
from aegis.ports import AuditLog, ShadowProvider, ShadowStore
from aegis.stores.locks import target_lock

_BEAT = UNFINISHED.total_seconds() / 5
_LOOK = 0.5
_NAME = re.compile(r"[a-z0-9]{1,32}")
_WAIT_FOR_OTHERS = 2.0
_MEND = 20.0
"""Real seconds that whoever wanted something else waits for what a dead process left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowTools:
    """What is needed for shadows that stand on their own.

    Attributes:
        cluster_uid: in which cluster.
        provider: makes and removes them.
        store: where they are kept.
        audit: holds the uid of everything that was ever created.
        locks: the folder of the locks.
        now: the clock.
    """

    cluster_uid: str
    provider: ShadowProvider
    store: ShadowStore
    audit: AuditLog
    locks: Path
    now: Callable[[], datetime] = utc_now


def recorded_namespaces(audit: AuditLog, incident: str = "") -> frozenset[str]:
    """The uids of the namespaces that this installation made: of one shadow or incident, or all."""
    return frozenset(
        str(record.detail["uid"])
        for record in audit.records(incident=incident)
        if record.action == "create"
        and record.outcome == "done"
        and record.subject.startswith("Namespace/")
        and record.detail.get("purpose") == "shadow"
        and record.detail.get("uid")
    )


async def create(tools: ShadowTools, target: ObjectRef, life: timedelta, *, shadow_id: str = "") -> ShadowSession:
    """Make a shadow of a workload; see `ShadowProvider.create`.

    Args:
        tools: to work with.
        target: a workload of production.
        life: how long it shall stand; two hours at most.
        shadow_id: what to call it, of a-z and 0-9; empty: something random.

    Raises:
        UsageError: if that is no name, or taken.
    """
    if shadow_id and (not _NAME.fullmatch(shadow_id) or any(one.id == shadow_id for one in tools.store.list())):
        raise UsageError(f"{shadow_id!r} is no free name for a shadow", hint="Use up to 32 of a-z and 0-9.")
    now = tools.now()
    session = ShadowSession(
        id=shadow_id or secrets.token_hex(4),
        provider=tools.provider.name,
        cluster_uid=tools.cluster_uid,
        target=target,
        created_at=now,
        expires_at=now + UNFINISHED,
    )
    async with _held(tools, session):
        tools.store.save(session)
        try:
            made = await _made(tools, session, life)
        except BaseException as error:
            _note_failure(tools, session.id, error)
            raise
        return tools.store.save(made)


async def _made(tools: ShadowTools, session: ShadowSession, life: timedelta) -> ShadowSession:
    async with _wanted(tools, session.id):
        made = await tools.provider.create(session, tools.store.save)
    if made.stage is Stage.FAILED:
        return made
    made = replace(made, expires_at=session.created_at + min(life, LONGEST_LIFE))
    await tools.provider.keep_until(made, made.expires_at)
    return made


async def look(tools: ShadowTools, session: ShadowSession) -> tuple[ShadowSession, Seen]:
    """How a shadow stands."""
    return session, await tools.provider.look(session)


async def wait(tools: ShadowTools, session_id: str, seconds: float | None) -> tuple[ShadowSession, Seen]:
    """Wait until a shadow is ready, or will not become so, or the time is over; how it stands then."""
    loop = asyncio.get_running_loop()
    deadline = None if seconds is None else loop.time() + seconds
    while True:
        session, seen = await look(tools, tools.store.load(session_id))
        phase = phase_of(session, seen, tools.now())
        if phase is ShadowPhase.READY or phase.over or (deadline is not None and loop.time() >= deadline):
            return session, seen
        await asyncio.sleep(_LOOK)


async def verify(tools: ShadowTools, session: ShadowSession, fix: Fix, seconds: float | None) -> Verification:
    """Try changes on fresh copies beside a shadow that stands; see `ShadowProvider.verify`.

    Raises:
        Refused: if it does not stand, or somebody else works with it.
    """
    async with _held(tools, session):
        session = tools.store.load(session.id)
        phase = phase_of(session, await tools.provider.look(session), tools.now())
        if phase not in {ShadowPhase.READY, ShadowPhase.STARTING}:
            raise Refused(f"the shadow {session.id} is {phase.value}", hint="Make a new one: aegis shadow create.")
        tools.store.save(replace(session, stage=Stage.VERIFYING))
        try:
            async with _wanted(tools, session.id):
                found = await tools.provider.verify(session, fix, seconds=seconds)
            session = replace(session, decision=found.verdict.decision)
        finally:
            tools.store.save(session)
        return found


async def delete(tools: ShadowTools, session: ShadowSession) -> None:
    """Remove a shadow, and what is kept of it.

    Raises:
        Refused: if somebody else works with it.
        Unavailable: if it does not go in time.
    """
    async with _held(tools, session):
        await _remove(tools, tools.store.load(session.id))


async def mend(tools: ShadowTools) -> None:
    """Finish what processes that died had begun; what others are at is left to them, what does not go to the next time."""
    for session in tools.store.list():
        if session.stage is Stage.STANDING or (session.stage is Stage.FAILED and session.home is None):
            continue
        with suppress(AegisError, TimeoutError):
            async with asyncio.timeout(_MEND), _held(tools, session, wait=0.0):
                await _mend(tools, tools.store.load(session.id))


async def _mend(tools: ShadowTools, session: ShadowSession) -> None:
    if session.stage is Stage.VERIFYING:
        arms = recorded_namespaces(tools.audit, session.id) - ({session.home.uid} if session.home else set())
        await tools.provider.remove(replace(session, home=None), arms)
        tools.store.save(replace(session, stage=Stage.STANDING))
    elif session.stage is not Stage.STANDING:
        await _remove(tools, session)


async def _remove(tools: ShadowTools, session: ShadowSession) -> None:
    """Remove it; from now on it is to be gone, unless whoever wants that may not have it.

    Raises:
        PermissionDenied: if the cluster does not permit it; then it stands as before.
        Refused: if a rule of ours does not.
        Unavailable: if it does not go in time.
    """
    tools.store.save(replace(session, stage=Stage.DELETING))
    try:
        await tools.provider.remove(session, recorded_namespaces(tools.audit, session.id))
    except (PermissionDenied, Refused):
        tools.store.save(session)
        raise
    tools.store.forget(session.id)


def _note_failure(tools: ShadowTools, session_id: str, error: BaseException) -> None:
    """Where nothing had been made there is nothing to keep; else the next command looks whether all of it is gone."""
    session = tools.store.load(session_id)
    if session.home is None:
        tools.store.forget(session_id)
        return
    message = error.message if isinstance(error, AegisError) else "it was interrupted"
    tools.store.save(replace(session, stage=Stage.FAILED, message=message))


@asynccontextmanager
async def _wanted(tools: ShadowTools, session_id: str) -> AsyncIterator[None]:
    """While the block runs, say again and again that the shadow is wanted for some minutes more.

    Raises:
        AegisError: what the block raises.
    """
    failed: AegisError | None = None
    async with asyncio.TaskGroup() as group:
        beat = group.create_task(_beat(tools, session_id))
        try:
            yield
        except AegisError as error:  # raised again below, as itself and not in a group
            failed = error
        finally:
            beat.cancel()
    if failed is not None:
        raise failed


async def _beat(tools: ShadowTools, session_id: str) -> None:
    while True:
        await asyncio.sleep(_BEAT)
        session = tools.store.load(session_id)
        moment = min(tools.now() + UNFINISHED, session.created_at + LONGEST_LIFE)
        if moment > session.expires_at:
            with suppress(AegisError):  # the work itself meets what is wrong, and says so
                await tools.provider.keep_until(session, moment)


def _held(
    tools: ShadowTools, session: ShadowSession, *, wait: float = _WAIT_FOR_OTHERS
) -> AbstractAsyncContextManager[None]:
    """The lock of one shadow."""
    ref = ObjectRef(api_version="aegis.io/v1", kind="ShadowSession", name=session.id)
    return target_lock(tools.locks, tools.cluster_uid, ref, wait=wait)
