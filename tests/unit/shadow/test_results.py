"""What a script reads of a verification."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from aegis.model.refs import ObjectRef
from aegis.model.report import SecurityReport
from aegis.model.scan import ScanResult, ScanStatus, Tool
from aegis.model.security import SecurityFinding, Severity
from aegis.model.shadow import Verification
from aegis.model.verdict import Decision, GateResult, Outcome, Verdict
from aegis.shadow import results

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def gate(name: str, outcome: Outcome = Outcome.PASSED, **fields: Any) -> GateResult:
    return replace(GateResult(gate=name, outcome=outcome, required=True), **fields)


def told(*gates: GateResult, decision: Decision = Decision.ACCEPT, report: SecurityReport | None = None) -> Any:
    verdict = Verdict(decision=decision, reason="x", score_low=0.91, score_high=1.0, gates=gates)
    found = results.test_results(Verification(verdict=verdict, report=report), seconds=1.26, at=NOW)
    json.dumps(found)
    return found


ALL = tuple(gate(name) for name in (*results.SCANNERS, *results.LOAD, "smoke"))


def report(**scanners: tuple[ScanResult, ...]) -> SecurityReport:
    return SecurityReport(passed=True, findings=(), scanner_results=scanners, timestamp=NOW)


def test_all_is_clean() -> None:
    found = told(*ALL)
    assert set(found) == {
        "health_score", "duration", "passed", "timestamp", "smoke_test", "load_test", "security", "verdict",
    }  # fmt: skip
    assert (found["health_score"], found["duration"], found["passed"]) == (0.91, 1.3, True)
    assert datetime.fromisoformat(found["timestamp"]) == NOW, "it reads back"
    assert (found["smoke_test"]["passed"], found["load_test"]["passed"]) == (True, True)
    assert (found["security"]["passed"], found["security"]["status"]) == (True, "clean")


@pytest.mark.parametrize("name", results.SCANNERS)
def test_what_did_not_run_did_not_pass(name: str) -> None:
    gates = [one for one in ALL if one.gate != name]
    skipped = gate(name, Outcome.SKIPPED, required=False, reason="not installed")
    for others in (gates, [*gates, skipped]):
        security = told(*others)["security"]
        assert (security["passed"], security[name]["passed"], security[name]["skipped"]) == (False, False, True)
        assert security[name]["reason"]
        assert security["status"] == "passed with gaps"


def test_what_a_trial_must_have_and_lacks_is_no_gap() -> None:
    failed = gate("trivy", Outcome.ERRORED, reason="time is up", inconclusive=True)
    found = told(*(one for one in ALL if one.gate != "trivy"), failed, decision=Decision.INCONCLUSIVE)
    assert (found["passed"], found["security"]["status"], found["security"]["trivy"]["status"]) == (
        False,
        "findings",
        "errored",
    )
    assert found["security"]["reason"] == "trivy: time is up"


def test_each_scanner_has_its_own_words() -> None:
    subject = ObjectRef(api_version="", kind="Image", name="nginx:1", namespace="")
    finding = SecurityFinding(
        source="trivy", rule_id="CVE-1", severity=Severity.HIGH, title="t", description="d", subject=subject
    )
    tool = Tool(name="trivy", version="0.74")
    image = ScanResult(
        scanner="trivy", status=ScanStatus.FINDINGS, findings=(finding,), tool=tool, details={"image": "nginx:1"}
    )
    score = ScanResult(
        scanner="kubesec",
        status=ScanStatus.CLEAN,
        tool=tool,
        details={"score": 5, "objects": [{"object": "web", "critical": [{"id": "Privileged"}]}], "advise": ["x"]},
    )
    summary = {"critical": 0, "error": 1, "warning": 2, "other": 0}
    alerts = ScanResult(
        scanner="falco",
        status=ScanStatus.FINDINGS,
        tool=tool,
        details={"alert_count": 3, "summary": summary, "alerts": ["a", "b", "c"]},
    )
    security = told(*ALL, report=report(trivy=(image,), kubesec=(score,), falco=(alerts,)))["security"]
    assert (security["kubesec"]["score"], security["kubesec"]["advise"]) == (5, ["x"])
    assert security["kubesec"]["critical_issues"] == [{"object": "web", "id": "Privileged"}]
    assert (security["trivy"]["total_scanned"], security["trivy"]["failed_count"]) == (1, 1)
    assert (
        security["trivy"]["results"][0] | {"image": "nginx:1", "vulnerabilities": 1} == security["trivy"]["results"][0]
    )
    assert (security["falco"]["summary"], security["falco"]["alert_count"]) == (summary, 3)
    assert told(*ALL)["security"]["falco"]["summary"] == dict.fromkeys(summary, 0)


def test_nothing_was_tried() -> None:
    found = results.not_begun("refused: why", at=NOW)
    assert set(found) == set(told(*ALL))
    assert not found["passed"]
    assert not found["security"]["passed"]
    assert not any(found["security"][name]["passed"] for name in results.SCANNERS)
    json.dumps(found)
