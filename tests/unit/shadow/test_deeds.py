"""Falco's alerts of the arms as findings."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from aegis.falco.priority import Priority
from aegis.model.refs import ObjectRef
from aegis.model.scan import Runtime, ScanStatus
from aegis.model.security import SecurityComparison, Severity
from aegis.model.verdict import GateResult, Outcome
from aegis.shadow.alerts import Deed
from aegis.shadow.deeds import looks_of

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
NOW = datetime(2026, 3, 4, tzinfo=UTC)
WINDOW = Runtime(namespace="shop", since=NOW, until=NOW)
GATE = GateResult(gate="falco", outcome=Outcome.FAILED, required=True, reason="x", coverage="2 nodes")


def deed(rule: str, priority: Priority = Priority.WARNING) -> Deed:
    return Deed(rule=rule, priority=priority, container="web", process="/bin/sh", parent="python")


def test_what_only_the_candidate_did_is_new_and_what_both_did_is_the_same() -> None:
    did = {
        "c": Counter({deed("shell"): 3, deed("read"): 1, deed("note", Priority.NOTICE): 9}),
        "r": Counter({deed("read"): 2}),
        "g": Counter({deed("old", Priority.CRITICAL): 1}),
        "ours": Counter({deed("canary"): 1}),
        "unknown": Counter({deed("nobody's"): 1}),
    }
    looks = looks_of(did, GATE, Priority.WARNING, target=WEB, window=WINDOW)
    compared = SecurityComparison(before=looks.findings_before, after=looks.findings_after)
    assert [finding.rule_id for finding in compared.new] == ["shell"]
    assert [finding.rule_id for finding in compared.same] == ["read"]
    assert [(finding.rule_id, finding.severity) for finding in compared.fixed] == [("old", Severity.CRITICAL)]
    [after] = looks.after
    assert after.result.details["alert_count"] == 4
    assert after.result.details["summary"] == {"critical": 0, "error": 0, "warning": 4, "other": 0}
    assert (after.result.status, after.result.coverage.notes) == (ScanStatus.FINDINGS, ("2 nodes",))


def test_a_watch_that_is_not_proved_is_not_clean() -> None:
    gate = GateResult(gate="falco", outcome=Outcome.ERRORED, required=True, reason="restarted")
    looks = looks_of({}, gate, Priority.WARNING, target=WEB, window=WINDOW)
    assert [(look.result.status, look.result.reason) for look in looks.after] == [(ScanStatus.ERROR, "restarted")]
    assert looks.before == ()
