"""What each scanner's results mean, consistent with how the scan ends."""

from __future__ import annotations

from typing import Any

import pytest
from scans import absent, failed, looked, privileged, scan

from aegis.model.report import ScannerOutcome as Is
from aegis.model.security import Severity
from aegis.security.reports.verdicts import with_verdicts


@pytest.mark.parametrize(
    ("result", "how", "outcome", "blocks", "gap"),
    [
        (looked("trivy"), {}, Is.PASSED, False, False),
        (looked("trivy", privileged(source="trivy")), {}, Is.FAILED, True, False),
        (looked("trivy", privileged(source="trivy", severity=Severity.LOW)), {}, Is.PASSED, False, False),
        (failed("trivy"), {}, Is.ERRORED, True, False),
        (failed("trivy"), {"fail_open": frozenset({"trivy"})}, Is.ERRORED, False, True),
        (failed("trivy"), {"fail_open": frozenset({"trivy"}), "must": frozenset({"trivy"})}, Is.ERRORED, True, False),
        (absent("trivy"), {}, Is.SKIPPED, False, True),
        (absent("trivy"), {"must": frozenset({"trivy"})}, Is.SKIPPED, True, False),
    ],
)
def test_one_scanner(result: Any, how: dict[str, Any], outcome: Is, blocks: bool, gap: bool) -> None:
    report = with_verdicts(scan(looked("podsecurity"), result, **how)).report
    verdict = report.verdicts["trivy"]
    assert (verdict.outcome, verdict.blocks, verdict.gap) == (outcome, blocks, gap)
    assert bool(verdict.reason) is (outcome is not Is.PASSED)
    assert report.passed is (outcome is Is.PASSED)


def test_a_baseline_that_failed_leaves_its_scanner_open() -> None:
    given = with_verdicts(scan(looked("trivy"), before=(failed("trivy"),)))
    assert given.report.verdicts["trivy"].outcome is Is.ERRORED
    assert given.report.blocked
