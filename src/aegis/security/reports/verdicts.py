"""What each scanner's results mean where a scan is all there is: no trial, no fix. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aegis.model.report import ScannerOutcome, ScannerVerdict
from aegis.model.scan import ScanResult
from aegis.security.reports.scan import Scan, State, Verdict, why


def with_verdicts(scan: Scan) -> Scan:
    """The scan whose report says of every scanner what its results mean, and whether all of them are a yes."""
    verdicts = {name: _verdict(scan, name, results) for name, results in scan.report.scanner_results.items()}
    return replace(scan, report=replace(scan.report, verdicts=verdicts, passed=scan.verdict is Verdict.PASSED))


def _verdict(scan: Scan, name: str, results: Sequence[ScanResult]) -> ScannerVerdict:
    objections = tuple(item for item in scan.failing if item.source == name)
    both = (*results, *(result for result in scan.before if result.scanner == name))
    state, required = scan.state(name), name in scan.must
    told = (why(result) for result in both if not result.status.complete)
    reasons = tuple(dict.fromkeys(filter(None, (*told, scan.mismatch(name)))))
    if objections:
        count = f"{len(objections)} of its findings fail the scan"
        outcome, reasons, blocks = ScannerOutcome.FAILED, (count, *reasons), True
    elif state is State.LOOKED:
        outcome, blocks = ScannerOutcome.PASSED, False
    elif state is State.FAILED:
        outcome, blocks = ScannerOutcome.ERRORED, required or name not in scan.fail_open
    else:
        outcome, blocks = ScannerOutcome.SKIPPED, required
    return ScannerVerdict(
        scanner=name,
        outcome=outcome,
        reason="; ".join(reasons),
        required=required,
        blocks=blocks,
        gap=state is not State.LOOKED and not blocks,
        objections=objections,
    )
