"""The report: its keys, and what it says of an answer that is no yes."""

from __future__ import annotations

from datetime import UTC, datetime

from aegis.model.refs import ObjectRef
from aegis.model.report import ScannerOutcome, ScannerVerdict, SecurityReport, Suppressed
from aegis.model.scan import ScanResult, ScanStatus, Tool
from aegis.model.security import SecurityFinding, Severity

AT = datetime(2026, 2, 3, 15, 30, tzinfo=UTC)
FOUND = SecurityFinding(
    source="trivy",
    rule_id="CVE-1",
    severity=Severity.HIGH,
    title="a hole",
    description="mend it",
    subject=ObjectRef(api_version="v1", kind="Image", name="web:1"),
)


def report(outcome: ScannerOutcome, *, blocks: bool = False, gap: bool = False) -> SecurityReport:
    result = ScanResult(scanner="trivy", status=ScanStatus.FINDINGS, findings=(FOUND,), tool=Tool(name="trivy"))
    return SecurityReport(
        passed=outcome is ScannerOutcome.PASSED,
        findings=(FOUND,),
        scanner_results={"trivy": (result,)},
        timestamp=AT,
        verdicts={"trivy": ScannerVerdict(scanner="trivy", outcome=outcome, reason="why", blocks=blocks, gap=gap)},
        suppressed=(Suppressed(finding=FOUND, waiver="w", owner="team", reason="known", expires="2027-01-01"),),
    )


def test_the_five_keys_and_ours() -> None:
    told = report(ScannerOutcome.FAILED, blocks=True).to_dict()
    assert list(told)[:5] == ["passed", "findings", "summary", "scanner_results", "timestamp"]
    assert set(told) - set(list(told)[:5]) == {"coverage", "suppressed", "comparison", "blocked", "gaps", "notes"}
    assert told["passed"] is False
    assert told["summary"] == {"CRITICAL": 0, "HIGH": 1, "MEDIUM": 0, "LOW": 0, "UNKNOWN": 0}
    assert datetime.fromisoformat(told["timestamp"]) == AT
    assert told["suppressed"][0]["owner"] == "team"
    assert told["findings"][0]["severity"] == "HIGH"
    assert told["scanner_results"]["trivy"]["results"][0]["status"] == "findings"


def test_only_a_clean_answer_is_passed() -> None:
    gap = report(ScannerOutcome.SKIPPED, gap=True)
    assert gap.gaps == ("trivy: why",)
    assert not gap.blocked
    assert gap.to_dict()["scanner_results"]["trivy"]["passed"] is False
    assert report(ScannerOutcome.ERRORED, blocks=True).blocked
    assert report(ScannerOutcome.PASSED).to_dict()["scanner_results"]["trivy"]["passed"] is True
