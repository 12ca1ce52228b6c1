"""`kind: ScanReport`: the whole of a scan. Its keys are stable; golden files in the tests hold them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from aegis.model.refs import JsonObject
from aegis.model.scan import ScanResult
from aegis.security.reports.scan import Scan, State, state_of, why
from aegis.security.reports.text import cleaned

_scanner = attrgetter("scanner")


def fields(scan: Scan) -> JsonObject:
    """What the document says beside its apiVersion and kind."""
    report = scan.report.to_dict()
    told: JsonObject = cleaned({
        "family": scan.family.value,
        "subjects": list(scan.subjects),
        "baseline": scan.baseline or None,
        "verdict": scan.verdict.value,
        "fail_on": scan.fail_on.name,
        "failing": [item.fingerprint for item in scan.failing],
        "scanners": [summary(name, results) for name, results in scan.report.scanner_results.items()],
        "baseline_scanners": [summary(name, list(results)) for name, results in groupby(scan.before, _scanner)],
        **report,
        "passed": scan.verdict.value == "passed",
        "gaps": list(dict.fromkeys((*scan.gaps, *report["gaps"]))),
        "unread": list(scan.unread),
        "started": scan.started.isoformat(),
        "ended": scan.ended.isoformat(),
    })
    return told


def summary(name: str, results: Sequence[ScanResult]) -> JsonObject:
    """One scanner in short: whether it looked, with what, at how much, and why not at the rest."""
    tools = [result.tool for result in results]
    ages = [tool.database for tool in tools if tool.database]
    return {
        "scanner": name,
        "looked": state_of(results) is State.LOOKED,
        "status": [result.status.value for result in results],
        "version": next((tool.version for tool in tools if tool.version), ""),
        "database": min(ages).isoformat() if ages else None,
        "expected": sum(len(result.coverage.expected) for result in results),
        "scanned": sum(len(result.coverage.expected) - len(result.coverage.missing) for result in results),
        "findings": sum(len(result.findings) for result in results),
        "reason": "; ".join(dict.fromkeys(why(result) for result in results if not result.status.complete)),
        "notes": list(dict.fromkeys(note for result in results for note in result.coverage.notes)),
    }
