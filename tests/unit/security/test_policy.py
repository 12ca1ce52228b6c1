"""A fix may not be worse than what it replaces."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aegis.model.refs import ObjectRef
from aegis.model.report import ScannerOutcome
from aegis.model.scan import ScanResult, ScanStatus, Tool
from aegis.model.security import SecurityComparison, SecurityFinding, Severity
from aegis.security.policy import SecurityPolicy


def found(rule: str, severity: Severity = Severity.MEDIUM) -> SecurityFinding:
    subject = ObjectRef(api_version="v1", kind="Pod", name="web", namespace="shop")
    return SecurityFinding(source="x", rule_id=rule, severity=severity, title="", description="", subject=subject)


def test_a_fix_may_mend_and_leave_but_not_add() -> None:
    comparison = SecurityComparison(before=(found("old"), found("kept")), after=(found("kept"),))
    assert SecurityPolicy().objections(comparison) == ()
    worse = SecurityComparison(before=(found("kept"),), after=(found("kept"), found("new")))
    assert [item.rule_id for item in SecurityPolicy().objections(worse)] == ["new"]


def test_a_ceiling_holds_for_what_was_there_before_too() -> None:
    both = (found("bad", Severity.CRITICAL), found("odd", Severity.UNKNOWN), found("mild", Severity.LOW))
    comparison = SecurityComparison(before=both, after=both)
    assert SecurityPolicy().objections(comparison) == ()
    objections = SecurityPolicy(ceiling=Severity.HIGH).objections(comparison)
    assert [item.rule_id for item in objections] == ["bad", "odd"]


# ── what a scanner's results mean ────────────────────────────────────────────────────────────────────────────────────


def result(status: ScanStatus, *findings: SecurityFinding, name: str = "x", **more: Any) -> ScanResult:
    fields: dict[str, Any] = {"tool": Tool(name=name, version="1"), "reason": "why" if not status.complete else ""}
    return ScanResult(scanner=name, status=status, findings=findings, **{**fields, **more})


ABSENT = Tool(name="x", absent="it is not installed")


@pytest.mark.parametrize(
    ("said", "policy", "outcome", "stops", "gap"),
    [
        ([result(ScanStatus.CLEAN)], {}, "PASSED", False, False),
        ([result(ScanStatus.FINDINGS, found("low", Severity.LOW))], {}, "PASSED", False, False),
        ([result(ScanStatus.FINDINGS, found("bad", Severity.HIGH))], {}, "FAILED", True, False),
        ([result(ScanStatus.FINDINGS, found("odd", Severity.UNKNOWN))], {}, "FAILED", True, False),
        ([result(ScanStatus.FINDINGS, found("low", Severity.LOW))], {"ceiling": Severity.LOW}, "FAILED", True, False),
        ([result(ScanStatus.PARTIAL, found("bad", Severity.HIGH))], {}, "FAILED", True, False),
        ([result(ScanStatus.ERROR)], {}, "ERRORED", True, False),
        ([result(ScanStatus.TIMEOUT)], {}, "ERRORED", True, False),
        ([result(ScanStatus.PARTIAL)], {}, "ERRORED", True, False),
        ([result(ScanStatus.CLEAN), result(ScanStatus.PARTIAL)], {}, "ERRORED", True, False),
        ([result(ScanStatus.TIMEOUT)], {"fail_open": frozenset({"x"})}, "ERRORED", False, True),
        ([result(ScanStatus.SKIPPED, tool=ABSENT)], {}, "SKIPPED", False, True),
        ([result(ScanStatus.SKIPPED, tool=ABSENT)], {"required": frozenset({"x"})}, "SKIPPED", True, False),
        ([result(ScanStatus.SKIPPED)], {"required": frozenset({"x"})}, "SKIPPED", False, True),
        ([result(ScanStatus.CLEAN), result(ScanStatus.SKIPPED, tool=ABSENT)], {}, "SKIPPED", False, True),
        ([], {"required": frozenset({"x"})}, "SKIPPED", False, False),
    ],
)
def test_what_follows(said: list[ScanResult], policy: dict[str, Any], outcome: str, stops: bool, gap: bool) -> None:
    verdict = SecurityPolicy(**policy).judge_all({"x": said})["x"]
    assert (verdict.outcome.value, verdict.blocks, verdict.gap) == (outcome, stops, gap)
    assert bool(verdict.reason) == (outcome != "PASSED")


def test_against_a_baseline_only_what_is_new_or_worse_counts() -> None:
    old, mild = found("old", Severity.CRITICAL), found("mild", Severity.LOW)
    before = {"x": [result(ScanStatus.FINDINGS, old, mild)]}
    same = SecurityPolicy().judge_all({"x": [result(ScanStatus.FINDINGS, old, mild)]}, before=before)["x"]
    assert same.outcome is ScannerOutcome.PASSED
    grown = [result(ScanStatus.FINDINGS, old, replace(mild, severity=Severity.HIGH), found("new", Severity.LOW))]
    verdict = SecurityPolicy().judge_all({"x": grown}, before=before)["x"]
    assert verdict.outcome is ScannerOutcome.FAILED
    assert {item.rule_id for item in verdict.objections} == {"mild", "new"}


@pytest.mark.parametrize(
    "other",
    [
        Tool(name="x", version="2"),
        Tool(name="x", version="1", digest="sha256:1"),
        Tool(name="x", version="1", digest="sha256:0", database=datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_two_tools_are_not_compared(other: Tool) -> None:
    tool = Tool(name="x", version="1", digest="sha256:0", database=datetime(2026, 1, 2, tzinfo=UTC))
    before = {"x": [result(ScanStatus.CLEAN, tool=other)]}
    verdict = SecurityPolicy().judge_all({"x": [result(ScanStatus.CLEAN, tool=tool)]}, before=before)["x"]
    assert verdict.outcome is ScannerOutcome.ERRORED
    assert "baseline and candidate" in verdict.reason


def test_a_baseline_that_could_not_be_looked_at_leaves_the_question_open() -> None:
    before = {"x": [result(ScanStatus.TIMEOUT)]}
    verdict = SecurityPolicy().judge_all({"x": [result(ScanStatus.CLEAN)]}, before=before)["x"]
    assert verdict.outcome is ScannerOutcome.ERRORED
    assert verdict.blocks


def test_a_scanner_answers_for_its_own_findings_only() -> None:
    bad = found("bad", Severity.HIGH)
    verdicts = SecurityPolicy().judge_all({"x": [result(ScanStatus.FINDINGS, bad)], "y": [result(ScanStatus.CLEAN)]})
    assert {name: verdict.outcome.value for name, verdict in verdicts.items()} == {"x": "FAILED", "y": "PASSED"}
