"""JUnit XML, as CI systems show it: a suite a scanner, a case for its look as a whole, and one for each finding.

A finding that fails the scan is a failure. One below the threshold, one that was there before, and one that somebody
answers for are skipped cases that say so. A scanner that did not look at everything is never a passed case: it is
skipped where that leaves a gap, and an error where it leaves the question open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as Tree

from aegis.model.report import Suppressed
from aegis.model.scan import ScanResult, ScanStatus
from aegis.model.security import SecurityFinding
from aegis.security.reports.place import place_of
from aegis.security.reports.scan import Scan, State, state_of, why
from aegis.security.reports.text import clean, line

_OUTCOMES: Final = ("failure", "error", "skipped")
_TOTALS: Final = ("tests", "failures", "errors", "skipped")


def junit(scan: Scan) -> str:
    """The document as text."""
    root = Tree.Element("testsuites", name=f"aegis scan {scan.family.value}")
    for name, results in scan.report.scanner_results.items():
        root.append(_suite(scan, name, results))
    for total in _TOTALS:
        root.set(total, str(sum(int(suite.get(total) or 0) for suite in root)))
    root.set("time", f"{sum(float(suite.get('time') or 0) for suite in root):.3f}")
    Tree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Tree.tostring(root, encoding="unicode")


def _suite(scan: Scan, name: str, results: Sequence[ScanResult]) -> Tree.Element:
    suite = Tree.Element("testsuite", name=name, timestamp=scan.started.strftime("%Y-%m-%dT%H:%M:%S"))
    suite.append(_look(scan, name, results))
    suite.extend(_finding(scan, item) for item in scan.report.findings if item.source == name)
    suite.extend(_waived(scan, item) for item in scan.report.suppressed if item.finding.source == name)
    cases = len(suite)
    counts = [sum(case.find(outcome) is not None for case in suite) for outcome in _OUTCOMES]
    for total, count in zip(_TOTALS, (cases, *counts), strict=True):
        suite.set(total, str(count))
    suite.set("time", f"{sum(result.seconds for result in results):.3f}")
    return suite


def _look(scan: Scan, name: str, results: Sequence[ScanResult]) -> Tree.Element:
    case = Tree.Element("testcase", classname=f"aegis.{scan.family.value}.{name}", name="looked at everything")
    case.set("time", f"{sum(result.seconds for result in results):.3f}")
    state = state_of(results)
    if state is not State.LOOKED:
        failed = state is State.FAILED and name not in scan.fail_open
        kind = "error" if failed or name in scan.must or _alone(scan) else "skipped"
        reasons = "; ".join(dict.fromkeys(why(result) for result in results if not result.status.complete))
        statuses = {result.status for result in results if not result.status.complete} or {ScanStatus.SKIPPED}
        said = line(reasons or "it was not asked")
        Tree.SubElement(case, kind, message=said, type=", ".join(sorted(statuses))).text = clean(reasons)
    expected = sum(len(result.coverage.expected) for result in results)
    missing = sum(len(result.coverage.missing) for result in results)
    version = next((result.tool.version for result in results if result.tool.version), "unknown")
    notes = [f"{expected - missing} of {expected} looked at, by {name} {version}"]
    notes += [note for result in results for note in result.coverage.notes]
    Tree.SubElement(case, "system-out").text = clean("\n".join(notes))
    return case


def _alone(scan: Scan) -> bool:
    """Whether nobody looked at all."""
    return all(state_of(results) is not State.LOOKED for results in scan.report.scanner_results.values())


def _finding(scan: Scan, item: SecurityFinding) -> Tree.Element:
    case = _case(scan, item)
    if scan.fails(item):
        failure = Tree.SubElement(case, "failure", message=line(item.title or item.rule_id), type=item.severity.name)
        failure.text = _told(item)
        return case
    known = "it was there before, or is" if scan.report.comparison is not None else "it is"
    Tree.SubElement(case, "skipped", message=f"{item.severity.name}: {known} below {scan.fail_on.name}")
    Tree.SubElement(case, "system-out").text = _told(item)
    return case


def _waived(scan: Scan, item: Suppressed) -> Tree.Element:
    case = _case(scan, item.finding)
    until = f" until {item.expires}" if item.expires else ""
    Tree.SubElement(case, "skipped", message=line(f"waived{until} by {item.owner}: {item.reason} ({item.waiver})"))
    Tree.SubElement(case, "system-out").text = _told(item.finding)
    return case


def _case(scan: Scan, item: SecurityFinding) -> Tree.Element:
    where = " ".join(filter(None, (str(item.subject), item.location, item.package)))
    case = Tree.Element("testcase", classname=f"aegis.{scan.family.value}.{item.source}")
    case.set("name", line(f"{item.rule_id}: {where}"))
    case.set("time", "0")
    place = place_of(scan, item)
    case.set("file", line(place.file))
    if place.line:
        case.set("line", str(place.line))
    return case


def _told(item: SecurityFinding) -> str:
    package = " ".join(filter(None, (item.package, item.installed_version)))
    mended = f"mended in {item.fixed_version}" if item.fixed_version else ""
    return clean(
        "\n".join(filter(None, (item.title, str(item.subject), package, mended, item.description, item.reference)))
    )
