"""What came of a verification, as a script reads it: `test_results` of a shadow environment. Pure.

`passed` is true only for what ran and was clean. What did not run is `passed: False` with `skipped`, `status` and
`reason`; whether the verification goes on then is the policy's, and stands in the verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from aegis.model.refs import JsonObject
from aegis.model.report import SecurityReport
from aegis.model.scan import ScanResult, ScanStatus
from aegis.model.security import distinct
from aegis.model.shadow import Verification
from aegis.model.verdict import Decision, GateResult, Outcome

SCANNERS: Final = ("podsecurity", "kubesec", "semgrep", "trivy", "zap", "falco")
LOAD: Final = ("errors", "latency", "memory", "logs")
_WORDS: Final = {
    Outcome.PASSED: "clean",
    Outcome.FAILED: "findings",
    Outcome.SKIPPED: "skipped",
    Outcome.ERRORED: "errored",
}


def test_results(found: Verification, *, seconds: float, at: datetime) -> JsonObject:
    """`health_score`, `duration`, `passed`, `timestamp`, `smoke_test`, `load_test`, `security`, and the whole verdict.

    Args:
        found: what came of it.
        seconds: real seconds that it took.
        at: when it ended.
    """
    gates = {gate.gate: gate for gate in found.verdict.gates}
    return {
        "health_score": round(found.verdict.score_low, 4),
        "duration": round(seconds, 1),
        "passed": found.verdict.decision is Decision.ACCEPT,
        "timestamp": at.isoformat().replace("+00:00", "Z"),
        "smoke_test": _gate(gates.get("smoke")),
        "load_test": _load(gates),
        "security": _security(found, gates),
        "verdict": found.verdict.to_dict(),
    }


def not_begun(reason: str, *, at: datetime) -> JsonObject:
    """The same where nothing was tried: a No to everything, with the reason."""
    missing = {"passed": False, "skipped": True, "status": "skipped", "reason": reason}
    return {
        "health_score": 0.0,
        "duration": 0.0,
        "passed": False,
        "timestamp": at.isoformat().replace("+00:00", "Z"),
        "smoke_test": dict(missing),
        "load_test": {**missing, "gates": {}},
        "security": {**missing, **{name: _scanner(name, None, ()) for name in SCANNERS}},
        "verdict": None,
    }


def _gate(gate: GateResult | None) -> JsonObject:
    if gate is None:
        return {"passed": False, "skipped": True, "status": "skipped", "reason": "the trial did not come to it"}
    return {
        "passed": gate.outcome is Outcome.PASSED and not gate.inconclusive,
        "skipped": gate.outcome is Outcome.SKIPPED,
        "status": _WORDS[gate.outcome],
        "reason": gate.reason or None,
        "measured": gate.measured,
        "threshold": gate.threshold,
        "unit": gate.unit,
        "coverage": gate.coverage,
    }


def _load(gates: Mapping[str, GateResult]) -> JsonObject:
    """Passed where each comparison under load that was made is."""
    parts = {name: _gate(gates.get(name)) for name in LOAD}
    ran = [part for part in parts.values() if not part["skipped"]]
    passed = bool(ran) and all(part["passed"] for part in ran)
    reasons = dict.fromkeys(part["reason"] for part in parts.values() if part["reason"])
    return {
        "passed": passed,
        "skipped": not ran,
        "status": "clean" if passed else "skipped" if not ran else "findings",
        "reason": None if passed else "; ".join(reasons),
        "gates": parts,
    }


def _security(found: Verification, gates: Mapping[str, GateResult]) -> JsonObject:
    parts = {name: _scanner(name, gates.get(name), _results(found.report, name)) for name in SCANNERS}
    clean = all(part["passed"] for part in parts.values())
    blocked = any(_blocks(gates.get(name)) for name in SCANNERS)
    return {
        "passed": clean,
        "skipped": False,
        "status": "clean" if clean else "findings" if blocked else "passed with gaps",
        "reason": "; ".join(f"{name}: {part['reason']}" for name, part in parts.items() if part["reason"]) or None,
        **parts,
        "comparison": found.security.to_dict() if found.security else None,
    }


def _blocks(gate: GateResult | None) -> bool:
    return gate is not None and gate.required and (gate.outcome is not Outcome.PASSED or gate.inconclusive)


def _results(report: SecurityReport | None, name: str) -> tuple[ScanResult, ...]:
    return report.scanner_results.get(name, ()) if report else ()


def _scanner(name: str, gate: GateResult | None, results: tuple[ScanResult, ...]) -> JsonObject:
    more: Mapping[str, Any] = {"kubesec": _kubesec, "trivy": _trivy, "falco": _falco}.get(name, _others)(gate, results)
    return {**_gate(gate), **more}


def _kubesec(_gate: GateResult | None, results: tuple[ScanResult, ...]) -> JsonObject:
    scores = [one.details["score"] for one in results if one.details.get("score") is not None]
    objects = list(_listed(results, "objects"))
    return {
        "score": min(scores, default=None),
        "critical_issues": [
            {"object": one.get("object"), **rule} for one in objects for rule in one.get("critical") or ()
        ],
        "advise": list(_listed(results, "advise")),
    }


def _trivy(_gate: GateResult | None, results: tuple[ScanResult, ...]) -> JsonObject:
    images = [one for one in results if one.details.get("image")]
    rows = [
        {
            "image": one.details["image"],
            "status": one.status.word,
            "passed": one.status is ScanStatus.CLEAN,
            "vulnerabilities": len(distinct(one.findings)),
            "reason": one.reason or None,
        }
        for one in images
    ]
    return {
        "total_scanned": sum(one.status.complete for one in images),
        "failed_count": sum(one.status is not ScanStatus.CLEAN for one in images),
        "results": rows,
        "vulnerabilities": sum(len(distinct(one.findings)) for one in images),
    }


def _falco(_gate: GateResult | None, results: tuple[ScanResult, ...]) -> JsonObject:
    summary = {"critical": 0, "error": 0, "warning": 0, "other": 0}
    for one in results:
        for word, count in (one.details.get("summary") or {}).items():
            summary[word] = summary.get(word, 0) + count
    return {
        "alert_count": sum(one.details.get("alert_count") or 0 for one in results),
        "summary": summary,
        "alerts": list(_listed(results, "alerts")),
    }


def _others(_gate: GateResult | None, results: tuple[ScanResult, ...]) -> JsonObject:
    return {"findings": [finding.to_dict() for one in results for finding in one.findings]}


def _listed(results: Iterable[ScanResult], key: str) -> Iterable[Any]:
    for one in results:
        held = one.details.get(key)
        yield from held if isinstance(held, list | tuple) else ()
