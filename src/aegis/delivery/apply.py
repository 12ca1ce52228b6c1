"""Make the change in production, once, and take it back to the byte.

Where production stands is told by hashes that were stored before it was touched: so whoever finds a half-done change
knows what was done, and what somebody else did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from aegis.delivery.preview import ABSENT, ObjectPreview, is_autoscaled, preview
from aegis.errors import Conflict, Refused
from aegis.model.changes import Change, ChangeSet, Delete, Evict
from aegis.model.drift import spec_hash
from aegis.model.incident import Undo
from aegis.model.refs import Json, ObjectRef
from aegis.ports import Actuator, ClusterReader, Purpose

_TRIES = 6
_PAUSE_SECONDS = 0.2
"""Between tries when only the status of an object moved under our hands."""


_HINT = "Look at it, then run aegis fix again."


class Drifted(Refused):
    """Production is neither as it was before the change nor as the change makes it."""

    code = "drifted"


class Standing(StrEnum):
    """How an object stands to a change."""

    BEFORE = "before"
    AFTER = "after"
    NEITHER = "neither"


async def unfenced() -> None:
    """Nobody else is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """With what production is read and written.

    Attributes:
        reader: reads it.
        actuator: the only door that writes.
        purpose: why; `production` for a fix, `undo` for going back.
        fence: asked right before each write, whether the target is still ours; it raises where it is not.
    """

    reader: ClusterReader
    actuator: Actuator
    purpose: Purpose
    fence: Callable[[], Awaitable[None]] = unfenced


def standing(live_hash: str, before: str, after: str) -> Standing:
    """How an object with this hash stands."""
    if live_hash == before:
        return Standing.BEFORE
    return Standing.AFTER if live_hash == after else Standing.NEITHER


async def establish(reader: ClusterReader, changes: Sequence[Change], undo: Undo) -> Mapping[ObjectRef, Standing]:
    """How every touched object stands now."""
    return {change.target: await _standing_of(reader, change, undo) for change in changes}


async def make(hands: Hands, changes: Sequence[Change], undo: Undo) -> None:
    """Make those changes that are not made yet, each with the object's version as its precondition.

    Raises:
        Drifted: if any object is as neither stored hash says; then nothing is written any more.
        Refused: if a rule forbids the write.
    """
    for change in changes:
        await _make_one(hands, change, undo)


async def take_back(hands: Hands, undo: Undo) -> None:
    """Make production exactly as it was, wherever it still is as we made it.

    Raises:
        Drifted: if what we applied is not there any more: it is not ours to take back; all else was taken back.
    """
    lost: list[Drifted] = []
    for change in undo.changes:
        try:
            await _take_back_one(hands, change, undo)
        except Drifted as error:
            lost.append(error)
    if lost:
        raise lost[0]


async def recheck(reader: ClusterReader, change_set: ChangeSet) -> None:
    """Is the object still the one, and as it was, when the fix was made for it?

    Raises:
        Drifted: if it is not: the trial proved nothing about what it is now.
    """
    live = await reader.find(change_set.target)
    if live is None or str((live.get("metadata") or {}).get("uid") or "") != change_set.target_uid:
        raise Drifted(f"{change_set.target} is gone, or another object has its name", hint=_HINT)
    hashes = {spec_hash(live)}
    if await is_autoscaled(reader, live):
        hashes.add(spec_hash(live, autoscaled=True))
    if change_set.spec_hash not in hashes:
        raise Drifted(_by_somebody(change_set.target), hint=_HINT)


async def _standing_of(reader: ClusterReader, change: Change, undo: Undo) -> Standing:
    live = await reader.find(change.target)
    name = str(change.target)
    live_hash = await _hash_among(reader, live, undo, name)
    uid = str(((live or {}).get("metadata") or {}).get("uid") or "")
    if isinstance(change, Delete | Evict):
        live_hash = live_hash if uid == change.uid else ABSENT
    elif uid != undo.uids.get(name, uid):
        return Standing.NEITHER
    return standing(live_hash, undo.before_hashes[name], undo.after_hashes[name])


async def _hash_among(reader: ClusterReader, live: Json | None, undo: Undo, name: str) -> str:
    """The hash of what is there; autoscalers, who may own a field of it, are asked only where it is none of the known."""
    if live is None:
        return ABSENT
    marks = undo.marks.get(name, ())
    whole = spec_hash(live, marks=marks)
    if whole in {undo.before_hashes[name], undo.after_hashes[name]}:
        return whole
    return spec_hash(live, autoscaled=await is_autoscaled(reader, live), marks=marks)


async def _make_one(hands: Hands, change: Change, undo: Undo) -> None:
    for _ in range(_TRIES):
        where = await _standing_of(hands.reader, change, undo)
        if where is Standing.AFTER:
            return
        if where is Standing.NEITHER:
            raise Drifted(_by_somebody(change.target), hint=_HINT)
        shown = (await preview(hands.reader, hands.actuator, [change], hands.purpose)).objects[0]
        if not _as_stored(shown, undo):
            raise Drifted(_by_somebody(change.target), hint=_HINT)
        if await _written(hands, shown):
            return
        await asyncio.sleep(_PAUSE_SECONDS)
    raise Drifted(_by_somebody(change.target), hint=_HINT)


def _as_stored(shown: ObjectPreview, undo: Undo) -> bool:
    name = str(shown.ref)
    same = shown.uid == undo.uids.get(name, shown.uid)
    return same and (shown.before_hash, shown.after_hash) == (undo.before_hashes[name], undo.after_hashes[name])


async def _written(hands: Hands, shown: ObjectPreview) -> bool:
    """False where somebody wrote between our look and our write (most often only a status): look again.

    Raises:
        Conflict: if it is about fields that another manager took since the preview.
    """
    await hands.fence()
    try:
        await hands.actuator.change(
            shown.change,
            hands.purpose,
            resource_version=shown.resource_version,
            force=bool(shown.taken),
        )
    except Conflict as error:
        if error.conflicts:
            raise
        return False
    return True


async def _take_back_one(hands: Hands, change: Change, undo: Undo) -> None:
    name = str(change.target)
    for _ in range(_TRIES):
        live = await hands.reader.find(change.target)
        live_hash = await _hash_among(hands.reader, live, undo, name)
        where = standing(live_hash, undo.after_hashes[name], undo.before_hashes[name])
        if where is Standing.AFTER:
            return
        if where is Standing.NEITHER:
            raise Drifted(_by_somebody(change.target), hint=_HINT)
        version = str(((live or {}).get("metadata") or {}).get("resourceVersion") or "")
        await hands.fence()
        try:
            await hands.actuator.change(change, hands.purpose, resource_version=version, force=True)
        except Conflict:
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            return
    raise Drifted(_by_somebody(change.target), hint=_HINT)


def _by_somebody(ref: ObjectRef) -> str:
    return f"{ref} was changed by somebody else meanwhile; nothing is written"
