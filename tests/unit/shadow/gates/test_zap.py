"""ZAP's gate: what is scanned, in which arm, and what is held against what."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from aegis.model.refs import ObjectRef
from aegis.model.scan import Coverage, ScanResult, ScanStatus, Tool
from aegis.model.security import Category, SecurityFinding, Severity
from aegis.model.verdict import GateResult, Outcome
from aegis.security.desk import Desk, ScanRules
from aegis.security.policy import SecurityPolicy
from aegis.shadow.gates import zap
from aegis.shadow.tools import SecurityRules

URL = "http://web:80/"
CHECK = {"name": "Service web:80", "scheme": "http", "host": "web", "port": 80, "path": "/", "headers": {}}


def finding(rule: str, severity: Severity) -> SecurityFinding:
    subject = ObjectRef(api_version="", kind="Url", name=URL, namespace="")
    return SecurityFinding(
        source="zap", rule_id=rule, severity=severity, title=rule, description="", subject=subject,
        category=Category.WEB, location="GET /",
    )  # fmt: skip


class Side:
    """One arm that answers."""

    def __init__(self, arm: str, *checks: dict[str, Any]) -> None:
        self.place = SimpleNamespace(arm=arm, namespace=f"shadow-{arm}")
        self._checks = list(checks)

    async def checks(self) -> list[dict[str, Any]]:
        return self._checks


class Scanner:
    """Stands for the pod in an arm."""

    def __init__(self) -> None:
        self.found: dict[str, ScanResult] = {}
        self.asked: list[tuple[str, str, str, float]] = []

    def says(self, arm: str, *findings: SecurityFinding, **fields: Any) -> None:
        status = ScanStatus.FINDINGS if findings else ScanStatus.CLEAN
        coverage = Coverage(expected=(URL,), scanned=(URL,))
        tool = Tool(name="zap", version="2.16")
        result = ScanResult(scanner="zap", status=status, findings=findings, tool=tool, coverage=coverage)
        self.found[arm] = replace(result, **fields)

    async def scan(self, place: Any, url: str, rules: Any) -> ScanResult:
        self.asked.append((place.arm, url, rules.image, rules.seconds))
        return self.found[place.arm]


@pytest.fixture
def scanner(monkeypatch: pytest.MonkeyPatch) -> Scanner:
    made = Scanner()
    monkeypatch.setattr(zap, "scan_arm", made.scan)
    return made


async def judged(*checks: dict[str, Any], good: Side | None = None, **rules: Any) -> tuple[GateResult, Any]:
    desk = Desk(rules=ScanRules(zap_image="zap:1", timeouts={"zap": 7.0}))
    limits = SimpleNamespace(security=SecurityRules(desk=desk, **rules))
    tools = SimpleNamespace(limits=limits, progress=lambda *_args, **_facts: None)
    measuring = SimpleNamespace(candidate=Side("c", *checks), good=good)
    trial: Any = SimpleNamespace(tools=tools, measuring=measuring, scanned={})
    gate = await zap.PLUGIN.judge(trial)
    assert list(trial.scanned) == ["zap"], "it is noted, however it ends"
    return gate, trial.scanned["zap"]


async def test_what_the_good_revision_shows_too_is_no_fault_of_the_fix(scanner: Scanner) -> None:
    scanner.says("g", finding("10020", Severity.MEDIUM))
    scanner.says("c", finding("10020", Severity.MEDIUM))
    gate, _ = await judged(CHECK, good=Side("g", CHECK))
    assert (gate.outcome, gate.coverage) == (Outcome.PASSED, "1 of 1 services; zap 2.16")
    assert sorted(scanner.asked) == [("c", URL, "zap:1", 7.0), ("g", URL, "zap:1", 7.0)]
    scanner.says("g")
    gate, _ = await judged(CHECK, good=Side("g", CHECK))
    assert gate.outcome is Outcome.FAILED


@pytest.mark.parametrize(("severity", "outcome"), [(Severity.MEDIUM, Outcome.PASSED), (Severity.HIGH, Outcome.FAILED)])
async def test_without_a_good_revision_only_what_is_grave_counts(
    scanner: Scanner, severity: Severity, outcome: Outcome
) -> None:
    scanner.says("c", finding("10020", severity))
    assert (await judged(CHECK))[0].outcome is outcome


@pytest.mark.parametrize("status", [ScanStatus.ERROR, ScanStatus.TIMEOUT, ScanStatus.PARTIAL])
async def test_a_scan_that_fails_leaves_it_undecided(scanner: Scanner, status: ScanStatus) -> None:
    scanner.says("c", status=status, reason="it answers only 500")
    gate, (part, _) = await judged(CHECK)
    assert (gate.outcome, gate.required, gate.reason) == (Outcome.ERRORED, True, "it answers only 500")
    assert (part.outcome, part.reason) == ("ERRORED", "it answers only 500")


async def test_what_cannot_be_had_is_a_gap(scanner: Scanner) -> None:
    scanner.says("c", status=ScanStatus.SKIPPED, reason="no such image", tool=Tool(name="zap"))
    gate, _ = await judged(CHECK)
    assert (gate.outcome, gate.required, gate.reason) == (Outcome.SKIPPED, False, "no such image")


async def test_a_cluster_that_cannot_pull_zap_has_none(scanner: Scanner) -> None:
    reason = "ZAP's pod did not run: ErrImagePull: no such image"
    scanner.says("c", status=ScanStatus.ERROR, reason=reason, tool=Tool(name="zap"))
    gate, _ = await judged(CHECK)
    assert (gate.outcome, gate.required) == (Outcome.SKIPPED, False)
    assert "security.zap_image" in gate.reason
    gate, _ = await judged(CHECK, policy=SecurityPolicy(required=frozenset({"zap"})))
    assert (gate.outcome, gate.required, gate.inconclusive) == (Outcome.SKIPPED, True, True)


async def test_where_nothing_listens_or_it_is_switched_off_nothing_is_scanned(scanner: Scanner) -> None:
    for (gate, _), words in (
        (await judged(), "declares no TCP port"),
        (await judged(CHECK, off=frozenset({"zap"})), "switched off: security.zap_enabled"),
    ):
        assert (gate.outcome, gate.required) == (Outcome.SKIPPED, False)
        assert words in gate.reason
    assert scanner.asked == []


async def test_three_services_at_most_are_scanned(scanner: Scanner) -> None:
    scanner.says("c")
    checks = [{**CHECK, "name": f"Service s{number}:80", "host": f"s{number}"} for number in range(5)]
    gate, _ = await judged(*checks)
    assert len(scanner.asked) == 3
    assert gate.coverage.startswith("3 of 5 services")
    assert gate.outcome is Outcome.SKIPPED, "what was looked at in part did not pass"
