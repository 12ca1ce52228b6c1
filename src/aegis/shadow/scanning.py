"""What scanners say of the arms of a trial: each thing is looked at once, before and after with one tool.

The scans of a trial belong to its course: they begin as soon as it is known what is to be looked at, run beside the
preparation of the arms, and end with it, whatever happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aegis.model.canonical import digest
from aegis.model.scan import Image, Manifests, ScanResult, Subject
from aegis.model.security import SecurityFinding
from aegis.ports import Scanner
from aegis.security.runner import Runner, scanners


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One subject, and what a scanner said of it."""

    subject: Subject
    result: ScanResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What one scanner said.

    Attributes:
        before: of the workload as it is.
        after: of the candidate.
    """

    before: tuple[Look, ...] = ()
    after: tuple[Look, ...] = ()

    @property
    def findings_before(self) -> tuple[SecurityFinding, ...]:
        """All of them."""
        return tuple(_findings(self.before))

    @property
    def findings_after(self) -> tuple[SecurityFinding, ...]:
        """All of them."""
        return tuple(_findings(self.after))


def _findings(looks: Iterable[Look]) -> Iterator[SecurityFinding]:
    for look in looks:
        yield from look.result.findings


@dataclass(slots=True, kw_only=True)
class Scans:
    """The scans of one trial.

    Attributes:
        runner: lets scanners look.
    """

    runner: Runner
    _tasks: dict[tuple[str, str], asyncio.Task[ScanResult]] = field(default_factory=dict)
    _group: asyncio.TaskGroup | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the block runs, scans may be asked for; what nobody waited for is ended with it."""
        async with asyncio.TaskGroup() as self._group:
            try:
                yield
            finally:
                for task in self._tasks.values():
                    task.cancel()

    def begin(self, names: Iterable[str], subjects: Sequence[Subject]) -> None:
        """Let scanners look at what they accept of these; what is looked at already is not looked at again."""
        for scanner in scanners(names):
            for subject in subjects:
                if scanner.accepts(subject):
                    self._start(scanner, subject)

    async def of(self, name: str, subjects: Sequence[Subject]) -> tuple[Look, ...]:
        """What a scanner says of those that it accepts."""
        self.begin([name], subjects)
        asked = {key: one for one in subjects if (key := (name, _key(one))) in self._tasks}
        return tuple([Look(subject=one, result=await asyncio.shield(self._tasks[key])) for key, one in asked.items()])

    def _start(self, scanner: Scanner, subject: Subject) -> None:
        assert self._group is not None  # noqa: S101 - `running` is about every use
        key = (scanner.name, _key(subject))
        if key not in self._tasks:
            self._tasks[key] = self._group.create_task(self.runner.look(scanner, subject))


def _key(subject: Subject) -> str:
    """Equal subjects have equal keys."""
    match subject:
        case Manifests(objects=objects):
            return digest(["manifests", [dict(obj) for obj in objects]])
        case Image():
            return digest(["image", subject.reference, str(subject.archive), subject.platform, subject.layerless])
        case other:
            return digest([type(other).__name__, str(other)])
