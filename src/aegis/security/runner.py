"""Letting scanners look: two heavy tools at a time, nothing twice, and again only where something has changed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from aegis.model.canonical import digest
from aegis.model.scan import Manifests, ScanResult, ScanStatus, Subject, Tool
from aegis.plugins import discover
from aegis.ports import Scanner
from aegis.security.cache import ScanCache, cache_key, same_tool
from aegis.security.desk import Desk

HEAVY_AT_A_TIME = 2
LIGHT = frozenset({"podsecurity", "falco"})
"""Scanners that start no program: they wait for no turn, and what they say is not kept."""


def scanners(names: Iterable[str] | None = None) -> tuple[Scanner, ...]:
    """The scanners of this installation, all or some, in the order of their names."""
    known: tuple[Scanner, ...] = discover("aegis.security.scanners", Scanner)
    wanted = None if names is None else frozenset(names)
    return tuple(scanner for scanner in known if wanted is None or scanner.name in wanted)


@dataclass(slots=True, kw_only=True)
class Runner:
    """One for a piece of work, in which nothing is looked at twice: candidate and baseline have one and the same.

    Attributes:
        desk: what scanners work with; where it has a cache, complete results are kept there.
        turns: of heavy tools; several pieces of work may share them.
    """

    desk: Desk
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(HEAVY_AT_A_TIME))
    _flights: dict[tuple[str, str], asyncio.Future[ScanResult]] = field(default_factory=dict)
    _tools: dict[str, Tool] = field(default_factory=dict)

    async def look(self, scanner: Scanner, subject: Subject) -> ScanResult:
        """What a scanner says of a subject; whoever asks the same again is given the same."""
        key = (scanner.name, _mark(subject))
        while (flight := self._flights.get(key)) is not None:
            with contextlib.suppress(_Abandoned):
                return await asyncio.shield(flight)
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        flight.add_done_callback(lambda done: done.exception())
        try:
            result = await self._look(scanner, subject)
        except BaseException:
            del self._flights[key]
            flight.set_exception(_Abandoned())
            raise
        flight.set_result(result)
        return result

    async def look_at_all(
        self, names: Iterable[str] | None, subjects: Sequence[Subject]
    ) -> Mapping[str, tuple[ScanResult, ...]]:
        """What the scanners of these names say of all that they accept, side by side; a scanner with nothing is named too."""
        tasks: dict[str, list[asyncio.Task[ScanResult]]] = {}
        async with asyncio.TaskGroup() as group:
            for scanner in scanners(names):
                tasks[scanner.name] = [
                    group.create_task(self.look(scanner, subject)) for subject in subjects if scanner.accepts(subject)
                ]
        return {name: tuple(task.result() for task in asked) for name, asked in tasks.items()}

    async def _look(self, scanner: Scanner, subject: Subject) -> ScanResult:
        if scanner.name in LIGHT:
            return await scanner.scan(subject, self.desk)
        async with self.turns:
            return await self._kept(scanner, subject)

    async def _kept(self, scanner: Scanner, subject: Subject) -> ScanResult:
        if self.desk.cache is None:
            return await scanner.scan(subject, self.desk)
        cache = ScanCache(folder=self.desk.cache / "results")
        tool = self._tools.get(scanner.name) or await scanner.probe(self.desk)
        self._tools[scanner.name] = tool
        key = ""
        if isinstance(subject, Manifests) or not self._outdated(tool):
            key = await asyncio.to_thread(cache_key, subject, scanner.name, tool, self.desk.rules)
        known = await asyncio.to_thread(cache.find, key, now=self.desk.now()) if key else None
        if known is not None:
            return known
        result = await scanner.scan(subject, self.desk)
        if key and result.status in (ScanStatus.CLEAN, ScanStatus.FINDINGS) and same_tool(result.tool, tool):
            await asyncio.to_thread(cache.keep, key, result, now=self.desk.now())
        return result

    def _outdated(self, tool: Tool) -> bool:
        """Whether the database is too old to be believed by now, whatever was found with it while it was younger."""
        days = timedelta(days=self.desk.rules.trivy_database_days)
        return tool.database is not None and self.desk.now() - tool.database > days


class _Abandoned(Exception):
    """Whoever looked was cancelled: the next who waits looks."""


def _mark(subject: Subject) -> str:
    """Equal for equal subjects within one piece of work, whatever else may change meanwhile."""
    if isinstance(subject, Manifests):
        return digest([dict(obj) for obj in subject.objects])
    return f"{type(subject).__name__} {subject}"
