"""Whether a report that found nothing may be believed: what had to be looked at, what was, and what the canary says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aegis.model.scan import Coverage, ScanStatus
from aegis.security.trivytool import canary, database
from aegis.security.trivytool.asking import Answer, Failed, ask, sing
from aegis.security.trivytool.command import Bench
from aegis.security.trivytool.report import Report

_ANYTHING = "packages of any kind"


async def ask_of_one_database(argv: list[str], at: Bench, updated: datetime | None, *, home: bool = False) -> Answer:
    """Run a scan whose database is the same from its beginning to its end, and the one that was judged before.

    Args:
        argv: the scan.
        at: where.
        updated: when the database that was judged is of.
        home: whether the run may see the home folder.

    Raises:
        Failed: if no report came of it, or the database was replaced meanwhile.
    """
    before = database.mark(at.cache)
    answer = await ask(argv, at, home=home)
    replaced = answer.report.server_database != updated if at.server else database.mark(at.cache) != before
    if replaced:
        raise Failed(ScanStatus.ERROR, "trivy's database was replaced during the scan: scan again")
    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The packages that a report lists.

    Attributes:
        expected: what had to be listed, by name.
        parts: of what is listed the part that the canary speaks for, by name.
        notes: what limits the look.
    """

    expected: tuple[str, ...]
    parts: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def coverage(self, mute: Collection[str] = (), notes: Sequence[str] = (), *, empty: bool = False) -> Coverage:
        """What was looked at, where the database knows nothing of the parts that are mute.

        `empty`: whether nothing has to be found, by intention.
        """
        if not self.expected and not empty:
            return Coverage(expected=(_ANYTHING,), notes=("no package was found; declare an image that has none",))
        scanned = tuple(name for name, part in self.parts.items() if part not in mute)
        return Coverage(expected=self.expected, scanned=scanned, notes=(*self.notes, *notes))


def listed(report: Report) -> Listed:
    """What a report lists of a system: its own packages, and those of each language. Pure."""
    expected: list[str] = []
    parts: dict[str, str] = {}
    notes: list[str] = []
    if report.system:
        expected.append(f"packages of {report.system}")
        if any(section.packages for section in report.of("os-pkgs")):
            parts[expected[0]] = canary.OS
        if report.system.ended:
            notes.append(f"{report.system} gets no security updates any more, so that few of its faults are known")
    for section in report.of("lang-pkgs"):
        name = f"{section.type} packages of {section.target}"
        expected.append(name)
        parts[name] = canary.part_of(section)
    return Listed(expected=tuple(expected), parts=parts, notes=tuple(notes))


async def covered(report: Report, at: Bench, *, empty: bool = False) -> Coverage:
    """What of a system was looked at, with a database that is proved to know of it.

    Args:
        report: of the scan.
        at: where the canary is run, if anything has to be proved.
        empty: whether nothing has to be found, by intention.

    Raises:
        Failed: if the database knows nothing at all.
    """
    found = listed(report)
    mute, notes = await _mute(report, at) if found.expected else (frozenset(), [])
    return found.coverage(mute, notes, empty=empty)


async def _mute(report: Report, at: Bench) -> tuple[frozenset[str], list[str]]:
    """The parts of which the database knows nothing, and what is to be said of it.

    Raises:
        Failed: if the database knows nothing at all.
    """
    wanted = [part for part, found in canary.parts(report).items() if not found]
    if not wanted:
        return frozenset(), []
    sung = await sing(at, report.system)
    if not canary.spoken(sung):
        reason = "trivy's database is empty: it does not know the oldest vulnerabilities; remove it and fetch it again"
        raise Failed(ScanStatus.ERROR, reason)
    mute = canary.silent(wanted, sung, report.system)
    names = {part: str(report.system) if part == canary.OS else f"{part} packages" for part in wanted}
    notes = [f"trivy's database knows nothing of {names[part]}" for part in mute]
    unproved = [names[part] for part in wanted if not canary.provable(part, report.system)]
    if unproved:
        notes.append(f"not proved that trivy's database knows of {', '.join(unproved)}")
    return frozenset(mute), notes
