"""One scan: which scanners look, what they say, and what that amounts to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from aegis.errors import UsageError
from aegis.interfaces.cli.scan_input import shown
from aegis.model.report import SecurityReport
from aegis.model.scan import Manifests, ScanResult, ScanStatus, Source, Subject, Tool
from aegis.model.security import SecurityComparison, SecurityFinding, Severity, distinct
from aegis.plugins import discover
from aegis.ports import Progress, Scanner
from aegis.security.reports.assembled import by_scanner, coverage_of, with_verdicts
from aegis.security.reports.scan import Family, Scan

if TYPE_CHECKING:
    from aegis.security.canonical import Canonical
    from aegis.security.desk import Desk
    from aegis.settings import Settings

_AT_A_TIME = 2
"""Scanners are heavy: semgrep takes 120 MB and two seconds of a processor for one file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a scan is asked for.

    Attributes:
        family: what kind of thing is looked at.
        names: what, as it was named.
        subjects: the same, as scanners take it.
        before: the baseline's; empty: there is none.
        baseline: what that is, as it was named.
        written: the manifests, for the places of findings.
        unread: what was found and could not be taken for a manifest.
        scanners: only these, by name; empty: all that are switched on.
        fail_on: the lowest severity that fails it; None: as configured.
        required: scanners that must look where they can, whoever else does.
        waivers: the file of what is accepted; None: as configured.
    """

    family: Family
    names: tuple[str, ...]
    subjects: tuple[Subject, ...]
    before: tuple[Subject, ...] = ()
    baseline: str = ""
    written: Canonical | None = None
    unread: tuple[str, ...] = ()
    scanners: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    fail_on: Severity | None = None
    waivers: Path | None = None


def known_scanners() -> tuple[Scanner, ...]:
    """Every scanner that this program has."""
    return cast("tuple[Scanner, ...]", discover("aegis.security.scanners", Scanner))


async def run_scan(asked: Asked, desk: Desk, settings: Settings, progress: Progress) -> Scan:
    """Let every scanner look that is meant, two at a time, and put together what they say.

    Raises:
        UsageError: if a scanner is named that is not there, or does not look at such things, or the waivers are wrong.
    """
    started = desk.now()
    chosen = [scanner for scanner in _meant(asked) if asked.scanners or _enabled(settings, scanner.name)]
    off = [_switched_off(one.name) for one in _meant(asked) if one not in chosen]
    turns = asyncio.Semaphore(_AT_A_TIME)

    async def look(scanner: Scanner, subject: Subject, label: str) -> ScanResult:
        async with turns:
            progress(f"{scanner.name} looks at {label}")
            return _placed(asked, subject, await scanner.scan(subject, desk))

    async with asyncio.TaskGroup() as group:
        after, before = (
            [
                group.create_task(look(scanner, subject, label))
                for scanner in chosen
                for subject in subjects
                if scanner.accepts(subject)
            ]
            for subjects, label in ((asked.subjects, ", ".join(asked.names)), (asked.before, asked.baseline))
        )
    now = [task.result() for task in after]
    earlier = tuple(task.result() for task in before)
    return _assembled(asked, settings, (*now, *off), earlier, times=(started, desk.now()))


def _meant(asked: Asked) -> list[Scanner]:
    """The scanners that look at such things, or those of them that were named.

    Raises:
        UsageError: if one is named that does not.
    """
    able = [scanner for scanner in known_scanners() if any(map(scanner.accepts, asked.subjects))]
    names = [scanner.name for scanner in known_scanners()]
    for name in asked.scanners:
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(names)}."
            raise UsageError(f"there is no scanner {name}", hint=hint)
        if name not in {scanner.name for scanner in able}:
            hint = f"These do: {', '.join(scanner.name for scanner in able)}."
            raise UsageError(f"{name} does not look at what `scan {asked.family.value}` gives it", hint=hint)
    return [scanner for scanner in able if not asked.scanners or scanner.name in asked.scanners]


def _enabled(settings: Settings, name: str) -> bool:
    return bool(getattr(settings.security, f"{name}_enabled", True))


def _switched_off(name: str) -> ScanResult:
    reason = f"switched off: security.{name}_enabled"
    return ScanResult(scanner=name, status=ScanStatus.SKIPPED, tool=Tool(name=name), reason=reason)


def _placed(asked: Asked, subject: Subject, result: ScanResult) -> ScanResult:
    """The result with files and lines as they were named, instead of those that a tool was given."""
    if isinstance(subject, Source) and subject.path.is_dir():
        folder = PurePosixPath(shown(subject.path))
        named = (replace(item, file=str(folder / item.file)) if item.file else item for item in result.findings)
        return replace(result, findings=tuple(named))
    if asked.written is None or not isinstance(subject, Manifests):
        return result
    return replace(result, findings=tuple(map(asked.written.locate, result.findings)))


def _assembled(
    asked: Asked,
    settings: Settings,
    results: Sequence[ScanResult],
    before: tuple[ScanResult, ...],
    *,
    times: tuple[datetime, datetime],
) -> Scan:
    from aegis.security.waiver_files import load
    from aegis.security.waivers import apply

    security = settings.security
    path = asked.waivers or security.waivers
    waivers = load(path) if path else ()
    found, older = (apply(_findings(side), waivers, now=times[1]) for side in (results, before))
    named = by_scanner(results)
    report = SecurityReport(
        passed=False,  # until `with_verdicts` says so
        findings=tuple(sorted(found.kept, key=_worst_first)),
        scanner_results=named,
        timestamp=times[1].astimezone(UTC),
        coverage=coverage_of(results),
        suppressed=found.suppressed,
        comparison=SecurityComparison(before=older.kept, after=found.kept) if asked.before else None,
        notes=(*(asked.written.notes if asked.written else ()), *found.notes),
    )
    return with_verdicts(
        Scan(
            family=asked.family,
            subjects=asked.names,
            report=report,
            fail_on=asked.fail_on or Severity[security.fail_on],
            started=times[0].astimezone(UTC),
            ended=times[1].astimezone(UTC),
            baseline=asked.baseline,
            ceiling=Severity[security.ceiling] if security.ceiling else None,
            unread=asked.unread,
            before=before,
            must=frozenset({*asked.scanners, *(name for name in asked.required if name in named)}),
            fail_open=frozenset(security.fail_open),
        )
    )


def _findings(results: Iterable[ScanResult]) -> tuple[SecurityFinding, ...]:
    return distinct(item for result in results for item in result.findings)


def _worst_first(item: SecurityFinding) -> tuple[int, str, int, str, str]:
    """Of unknown severity before all others: nobody has said that they are harmless."""
    severity = Severity.CRITICAL + 1 if item.severity is Severity.UNKNOWN else item.severity
    return (-severity, item.file, item.line, item.source, item.rule_id)
