"""What a scan amounts to: findings before open questions, open questions before gaps."""

from __future__ import annotations

import pytest
from scans import absent, failed, looked, of_image, privileged, scan, vulnerable, waived

from aegis.model.scan import ScanStatus, Tool
from aegis.model.security import SecurityComparison, Severity
from aegis.security.reports.scan import Scan, Verdict

LOW = privileged(severity=Severity.LOW)


@pytest.mark.parametrize(
    ("given", "verdict", "status"),
    [
        (scan(looked("podsecurity"), looked("trivy")), Verdict.PASSED, 0),
        (scan(looked("podsecurity", LOW)), Verdict.PASSED, 0),
        (scan(looked("podsecurity"), absent("trivy")), Verdict.GAPS, 0),
        (scan(looked("podsecurity", privileged()), failed("trivy")), Verdict.FAILED, 1),
        (scan(looked("podsecurity"), failed("trivy")), Verdict.INCONCLUSIVE, 3),
        (scan(looked("podsecurity"), failed("trivy", ScanStatus.PARTIAL)), Verdict.INCONCLUSIVE, 3),
        (scan(looked("podsecurity"), failed("trivy", ScanStatus.ERROR)), Verdict.INCONCLUSIVE, 3),
        (scan(looked("podsecurity"), failed("trivy"), fail_open=frozenset({"trivy"})), Verdict.GAPS, 0),
        (scan(failed("trivy"), fail_open=frozenset({"trivy"})), Verdict.INCONCLUSIVE, 3),
        (scan(absent("trivy")), Verdict.UNAVAILABLE, 69),
        (scan(looked("trivy", status=ScanStatus.SKIPPED, reason="no layers")), Verdict.INCONCLUSIVE, 3),
        (scan(looked("podsecurity"), absent("trivy"), must=frozenset({"trivy"})), Verdict.UNAVAILABLE, 69),
        (scan(looked("podsecurity"), failed("zap"), must=frozenset({"zap"})), Verdict.INCONCLUSIVE, 3),
        (scan(looked("podsecurity"), must=frozenset({"zap"})), Verdict.INCONCLUSIVE, 3),
        (scan(looked("trivy"), absent("trivy")), Verdict.UNAVAILABLE, 69),
        (scan(), Verdict.INCONCLUSIVE, 3),
    ],
)
def test_verdict(given: Scan, verdict: Verdict, status: int) -> None:
    assert (given.verdict, given.verdict.exit_status) == (verdict, status)


def test_an_unknown_severity_always_fails() -> None:
    found = privileged(severity=Severity.UNKNOWN)
    assert scan(looked("podsecurity", found), fail_on=Severity.CRITICAL).verdict is Verdict.FAILED


@pytest.mark.parametrize(("severity", "fails"), [(Severity.HIGH, True), (Severity.MEDIUM, False)])
def test_the_threshold_belongs_to_it(severity: Severity, fails: bool) -> None:
    assert bool(scan(looked("podsecurity", privileged(severity=severity))).failing) is fails


def test_what_is_waived_fails_nothing() -> None:
    item = privileged()
    assert scan(looked("podsecurity", item), suppressed=(waived(item),)).verdict is Verdict.PASSED


def test_against_a_baseline_only_what_is_new_or_worse_fails() -> None:
    old, new = vulnerable(), vulnerable(rule_id="CVE-2", aliases=(), package="curl", purl="")
    same = of_image(comparison=SecurityComparison(before=(old, new), after=(old, new)))
    assert same.report.findings
    assert [item.rule_id for item in of_image(comparison=SecurityComparison(before=(), after=(old,))).failing] == [
        "CVE-2023-45853"
    ]
    worse = SecurityComparison(before=(vulnerable(severity=Severity.LOW),), after=(old,))
    assert [item.rule_id for item in scan(looked("trivy", old), comparison=worse).failing] == ["CVE-2023-45853"]
    assert scan(looked("trivy", old), comparison=SecurityComparison(before=(old,), after=(old,))).failing == ()


def test_the_ceiling_holds_for_old_findings_too() -> None:
    old = vulnerable(severity=Severity.CRITICAL)
    same = SecurityComparison(before=(old,), after=(old,))
    assert scan(looked("trivy", old), comparison=same, ceiling=Severity.CRITICAL).failing == (old,)


def test_gaps_name_what_was_not_looked_at() -> None:
    assert scan(looked("podsecurity"), absent("trivy"), failed("semgrep")).gaps == (
        "trivy: no trivy on PATH. Install it.",
        "semgrep: semgrep did not end within 60 s; not looked at: b",
    )


def test_a_baseline_that_was_not_looked_at_makes_nothing_new() -> None:
    found = vulnerable()
    compared = SecurityComparison(before=(), after=(found,))
    given = scan(looked("trivy", found), comparison=compared, before=(failed("trivy"),), baseline="old")
    assert (given.verdict, given.failing) == (Verdict.INCONCLUSIVE, ())
    assert given.gaps == ("trivy on the baseline: trivy did not end within 60 s; not looked at: b",)


def test_sides_that_two_tools_looked_at_are_not_compared() -> None:
    older = looked("trivy", tool=Tool(name="trivy", version="0.9"))
    given = scan(looked("trivy"), comparison=SecurityComparison(before=(), after=()), before=(older,))
    assert given.verdict is Verdict.INCONCLUSIVE
    assert "another version: 0.9 and 1.0" in given.gaps[0]


def test_files_that_are_no_manifests_are_a_gap() -> None:
    given = scan(looked("podsecurity"), unread=("a.yaml:3:1: the key a stands twice",))
    assert given.verdict is Verdict.GAPS
    assert given.gaps == ("not looked at as a manifest: a.yaml:3:1: the key a stands twice",)
