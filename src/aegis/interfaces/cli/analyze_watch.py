"""`aegis analyze -w`: looks again when something in the cluster changes, and prints what that changed for a problem."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from time import strftime
from typing import TYPE_CHECKING, cast

from aegis.interfaces.cli.options import Globals
from aegis.interfaces.cli.output import stream
from aegis.interfaces.cli.problems_text import problem_line
from aegis.model.refs import Json, JsonObject
from aegis.ports import ClusterReader

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aegis.ports import ObjectEvent

_KINDS = (
    ("v1", "Pod"),
    ("v1", "Service"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
)
_SETTLE, _LONGEST = 1.0, 30.0
"""Real seconds: after a change, so that what belongs together is seen together; and without one."""


async def watched(
    options: Globals,
    changes: Changes,
    look: Callable[[], Awaitable[tuple[int, list[JsonObject]]]],
    seconds: float | None,
) -> int:
    """Look again and again, until interrupted or the time is over; how the last look would end.

    Args:
        options: say how to print.
        changes: of the cluster.
        look: gives how it would end now, and what is wrong.
        seconds: for how long; None: for ever.
    """
    shown: dict[str, JsonObject] = {}
    statuses = [0]
    try:
        async with asyncio.timeout(seconds), changes.followed():
            while True:
                status, items = await look()
                statuses.append(status)
                _tell(options, news(shown, items))
                await changes.next()
    except TimeoutError:
        return statuses[-1]


class Changes:
    """That something changed in a namespace; not what.

    Args:
        reader: of the cluster.
        namespace: where; empty: everywhere.
    """

    def __init__(self, reader: ClusterReader, namespace: str) -> None:
        self._reader = reader
        self._namespace = namespace
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """While the block runs, changes are noticed."""
        async with asyncio.TaskGroup() as group:
            for api_version, kind in _KINDS:
                group.create_task(self._follow(api_version, kind))
            yield

    async def next(self) -> None:
        """Wait for a change, and a moment more; or long enough without one."""
        try:
            async with asyncio.timeout(_LONGEST):
                await self._changed.wait()
        except TimeoutError:
            return
        await asyncio.sleep(_SETTLE)
        self._changed.clear()

    async def _follow(self, api_version: str, kind: str) -> None:
        events = self._reader.watch(api_version, kind, namespace=self._namespace)
        async with aclosing(cast("AsyncGenerator[ObjectEvent, None]", events)) as stream_of_changes:
            async for _ in stream_of_changes:
                self._changed.set()


def _tell(options: Globals, items: Sequence[JsonObject]) -> None:
    for item in items:
        stream(options, item, partial(_line, item))


def news(shown: dict[str, JsonObject], items: Sequence[JsonObject]) -> list[JsonObject]:
    """What came, changed or went since the last look, which `shown` remembers; what went is told as healthy."""
    now = {_key(item): item for item in items}
    told = [item for key, item in now.items() if key not in shown or _gist(item) != _gist(shown[key])]
    gone = [_healthy(item) for key, item in shown.items() if key not in now and item["verdict"] != "healthy"]
    shown.clear()
    shown.update(now)
    return told + gone


def _key(item: Json) -> str:
    target = item["target"] or {}
    return f"{target.get('kind')}/{target.get('namespace')}/{target.get('name')}"


def _gist(item: Json) -> tuple[object, ...]:
    """What of a problem is worth telling again; a count of restarts is not."""
    return (item["verdict"], item["cause"], item["root_cause"], [fix["summary"] for fix in item["fixes"]])


def _healthy(item: Mapping[str, object]) -> JsonObject:
    empty: JsonObject = {"chain": [], "evidence": [], "alternatives": [], "also": [], "fixes": []}
    gone = {"verdict": "healthy", "cause": None, "root_cause": None, "explanation": "The problem is gone."}
    return {**item, **empty, **gone}


def _line(item: Json) -> str:
    return f"{strftime('%H:%M:%S')}  {problem_line(item)}"
