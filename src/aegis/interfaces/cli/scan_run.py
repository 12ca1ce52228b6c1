"""One scan: which scanners look, what they say, and what that amounts to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from aegis.errors import UsageError
from aegis.interfaces.cli.scan_input import shown, within_repository
from aegis.model.report import SecurityReport
from aegis.model.scan import Manifests, ScanResult, ScanStatus, Source, Subject, Tool
from aegis.model.security import Severity
from aegis.ports import Progress, Scanner
from aegis.security.pipeline import Rules, assemble
from aegis.security.reports.scan import Family, Scan
from aegis.security.reports.verdicts import with_verdicts
from aegis.security.runner import Runner, scanners

if TYPE_CHECKING:
    from aegis.security.canonical import Canonical
    from aegis.security.desk import Desk
    from aegis.settings import Settings


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
        written_before: those of the baseline.
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
    written_before: Canonical | None = None
    unread: tuple[str, ...] = ()
    scanners: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    fail_on: Severity | None = None
    waivers: Path | None = None


async def run_scan(asked: Asked, desk: Desk, settings: Settings, progress: Progress) -> Scan:
    """Let every scanner look that is meant, and put together what they say.

    Raises:
        UsageError: if a scanner is named that is not there, or does not look at such things, or the waivers are wrong.
    """
    from aegis.security.waiver_files import load

    path = asked.waivers or (settings.security.waivers.expanduser() if settings.security.waivers else None)
    rules = Rules(waivers=load(path) if path else ())
    started, meant = desk.now(), _meant(asked)
    chosen = [scanner for scanner in meant if asked.scanners or _enabled(settings, scanner.name)]
    sides = await _both(asked, chosen, Runner(desk=desk), progress)
    after = {one.name: sides[0].get(one.name) or (_switched_off(one.name),) for one in meant}
    report = assemble(after, sides[1] if asked.before else None, rules, now=desk.now())
    notes = (*report.notes, *(asked.written.notes if asked.written else ()))
    before = tuple(result for results in sides[1].values() for result in results)
    return _judged(asked, settings, replace(report, notes=notes), before=before, started=started)


async def _both(
    asked: Asked, chosen: Sequence[Scanner], runner: Runner, progress: Progress
) -> list[dict[str, tuple[ScanResult, ...]]]:
    """What is looked at, and its baseline: by the same tools, at the same time."""

    async def look(scanner: Scanner, subject: Subject, written: Canonical | None) -> ScanResult:
        result = _placed(subject, written, await runner.look(scanner, subject))
        progress(f"{scanner.name}: {result.status.value}", findings=len(result.findings))
        return result

    names = ", ".join(scanner.name for scanner in chosen)
    progress(f"looking at {', '.join(asked.names)}" + (f" and {asked.baseline}" if asked.baseline else ""), by=names)
    async with asyncio.TaskGroup() as group:
        sides = [
            {
                scanner.name: [
                    group.create_task(look(scanner, subject, written))
                    for subject in subjects
                    if scanner.accepts(subject)
                ]
                for scanner in chosen
            }
            for subjects, written in ((asked.subjects, asked.written), (asked.before, asked.written_before))
        ]
    return [{name: tuple(task.result() for task in tasks) for name, tasks in side.items()} for side in sides]


def _meant(asked: Asked) -> list[Scanner]:
    """The scanners that look at such things, or those of them that were named.

    Raises:
        UsageError: if one is named that does not.
    """
    able = [scanner for scanner in scanners() if any(map(scanner.accepts, asked.subjects))]
    names = [scanner.name for scanner in scanners()]
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


def _placed(subject: Subject, written: Canonical | None, result: ScanResult) -> ScanResult:
    """The result with files and lines as they were named, instead of those that a tool was given."""
    if isinstance(subject, Source) and subject.path.is_dir():
        folder = PurePosixPath(shown(subject.path))
        named = (replace(item, file=str(folder / item.file)) if item.file else item for item in result.findings)
        return replace(result, findings=tuple(named))
    if written is None or not isinstance(subject, Manifests):
        return result
    return replace(result, findings=tuple(map(written.locate, result.findings)))


def _judged(
    asked: Asked, settings: Settings, report: SecurityReport, *, before: tuple[ScanResult, ...], started: datetime
) -> Scan:
    security = settings.security
    return with_verdicts(
        Scan(
            family=asked.family,
            subjects=asked.names,
            report=report,
            fail_on=asked.fail_on or Severity[security.fail_on],
            started=started.astimezone(UTC),
            ended=report.timestamp,
            baseline=asked.baseline,
            ceiling=Severity[security.ceiling] if security.ceiling else None,
            within=within_repository(),
            unread=asked.unread,
            before=before,
            must=frozenset({*asked.scanners, *(name for name in asked.required if name in report.scanner_results)}),
            fail_open=frozenset(security.fail_open),
        )
    )
