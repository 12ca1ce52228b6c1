"""Look at production after a change, until it is clear what became of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aegis.delivery.apply import Standing, establish
from aegis.delivery.health import read_health
from aegis.delivery.regression import Aftermath, Look, WatchRules, judge
from aegis.model.changes import Change
from aegis.model.health import Health
from aegis.model.incident import Undo
from aegis.model.refs import ObjectRef
from aegis.ports import ClusterReader, Progress

_LOOKS_A_WINDOW = 120
_SHORTEST_PAUSE = 0.1
_TELL_EVERY = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is watched: the changes (to see whether they still stand) and what should be ready."""

    changes: tuple[Change, ...]
    undo: Undo
    refs: tuple[ObjectRef, ...]
    baseline: Health


async def health_of(reader: ClusterReader, refs: Sequence[ObjectRef]) -> Health | None:
    """All of them taken together; None where none of them is ever ready or not."""
    seen = [health for ref in refs if (health := await read_health(reader, ref)) is not None]
    if not seen:
        return None
    return Health(
        wanted=sum(health.wanted for health in seen),
        ready=sum(health.ready for health in seen),
        crashes=sum(health.crashes for health in seen),
        settled=all(health.settled for health in seen),
    )


async def watch(reader: ClusterReader, watched: Watched, rules: WatchRules, tell: Progress) -> Aftermath:
    """Look until the rules decide. The rules are real seconds: already divided by the time scale."""
    pause = max(_SHORTEST_PAUSE, min(rules.window / _LOOKS_A_WINDOW, 5.0))
    began, told = time.monotonic(), -_TELL_EVERY
    looks: list[Look] = []
    while True:
        if Standing.NEITHER in (await establish(reader, watched.changes, watched.undo)).values():
            return Aftermath.REPLACED
        at = time.monotonic() - began
        health = await health_of(reader, watched.refs)
        if health is None:
            if at >= rules.stable:
                return Aftermath.RESOLVED
        else:
            looks.append(Look(at=at, health=health))
            if (seen := judge(looks, watched.baseline, rules)) is not None:
                return seen
            if at - told >= _TELL_EVERY:
                told = at
                tell("watching production", ready=f"{health.ready}/{health.wanted}", seconds=round(at))
        await asyncio.sleep(pause)
