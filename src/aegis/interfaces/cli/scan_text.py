"""A scan as text for people: the answer first, then what was found, then who looked and who did not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aegis.interfaces.cli.output import columns
from aegis.model.security import SecurityFinding
from aegis.security.reports.document import summary
from aegis.security.reports.scan import Scan, Verdict
from aegis.security.reports.text import line

_ROWS = 200
_SAID = 90


def scan_text(scan: Scan) -> str:
    """The whole of it, bounded: `-o json` has everything."""
    parts = [_headline(scan), _findings(scan), _waived(scan), _compared(scan), _scanners(scan), _notes(scan)]
    return "\n\n".join(part for part in parts if part)


def _headline(scan: Scan) -> str:
    counts = ", ".join(f"{many} {name}" for name, many in scan.report.summary.items() if many) or "nothing found"
    answer = scan.verdict.value.upper()
    because = ""
    if scan.verdict is Verdict.FAILED:
        against = " that the baseline does not have" if scan.report.comparison is not None else ""
        because = f": {len(scan.failing)} at {scan.fail_on.name} or above{against}"
    elif scan.verdict is not Verdict.PASSED:
        because = ": not everything was looked at"
    what = ", ".join(line(name) for name in scan.subjects[:5]) + (" …" if len(scan.subjects) > 5 else "")  # noqa: PLR2004
    return f"{what}: {answer}{because} ({counts})"


def _findings(scan: Scan) -> str:
    shown = scan.report.findings[:_ROWS]
    head = ("", "severity", "rule", "where", "what")
    rows = [_row(scan, item) for item in shown]
    more = len(scan.report.findings) - len(shown)
    rest = f"\n… and {more} more: -o json has all of them" if more > 0 else ""
    return columns(head, rows) + rest if rows else ""


def _row(scan: Scan, item: SecurityFinding) -> tuple[str, ...]:
    where = f"{item.file}:{item.line}" if item.file and item.line else str(item.subject)
    package = " ".join(filter(None, (item.package, item.installed_version)))
    mended = f" (mended in {item.fixed_version})" if item.fixed_version else ""
    what = f"{package}{mended}: {item.title}" if package else f"{item.title}: {item.location}".removesuffix(": ")
    return (
        "✗" if scan.fails(item) else "·",
        item.severity.name,
        line(item.rule_id, 60),
        line(where, 80),
        line(what, _SAID),
    )


def _waived(scan: Scan) -> str:
    lines = [
        f"  {line(one.finding.rule_id)} in {line(one.finding.subject)}: {line(one.reason)}"
        f" ({line(one.waiver)}, {line(one.owner)}{f', until {line(one.expires)}' if one.expires else ''})"
        for one in scan.report.suppressed
    ]
    return "\n".join(["Waived:", *lines]) if lines else ""


def _compared(scan: Scan) -> str:
    comparison = scan.report.comparison
    if comparison is None:
        return ""
    sides = {"fixed": comparison.fixed, "new": comparison.new, "worse": comparison.worse, "same": comparison.same}
    head = f"Against {line(scan.baseline)}: " + ", ".join(f"{len(items)} {name}" for name, items in sides.items())
    told = [f"  {name}: {text}" for name in ("fixed", "new", "worse") for text in _named(sides[name])]
    return "\n".join([head, *told])


def _named(items: Sequence[SecurityFinding]) -> Iterator[str]:
    for item in items[:_ROWS]:
        yield " ".join(filter(None, (item.severity.name, line(item.rule_id), line(item.package or str(item.subject)))))


def _scanners(scan: Scan) -> str:
    rows = []
    for name, results in scan.report.scanner_results.items():
        short = summary(name, results)
        covered = f"{short['scanned']} of {short['expected']}" if short["looked"] or short["expected"] else ""
        database = str(short["database"] or "")[:10]
        said = line(short["reason"] or "; ".join(short["notes"]), 2 * _SAID)
        rows.append((name, "yes" if short["looked"] else "NO", covered, short["version"], database, said))
    return columns(("scanner", "looked", "covered", "version", "database", "why not, or limits"), rows)


def _notes(scan: Scan) -> str:
    told = [*scan.report.notes, *(f"not looked at as a manifest: {one}" for one in scan.unread)]
    told += [gap for gap in scan.gaps if " on the baseline: " in gap]
    return "\n".join(f"note: {line(note)}" for note in told)
