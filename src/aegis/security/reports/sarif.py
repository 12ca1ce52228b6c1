"""SARIF 2.1.0, as GitHub's code scanning and other viewers take it.

Source: the OASIS standard, and GitHub's page on the part of it that code scanning reads: URIs relative to the
repository, `partialFingerprints`, `security-severity` as a string in the rule, and `automationDetails.id`, whose part
before the last `/` is the category: what a run does not name any more, GitHub holds to be mended. So each scanner has
a run and a category of its own, and one that did not look has no run: its earlier alerts stay open. The first run is
AEGIS's own; it has no results, and its invocation says what did not run and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

from aegis.model.refs import JsonObject
from aegis.model.scan import ScanResult, ScanStatus
from aegis.model.security import SecurityComparison, SecurityFinding, Severity
from aegis.security.reports.place import place_of
from aegis.security.reports.scan import Scan, State, Verdict, state_of, why
from aegis.security.reports.text import clean, line, link

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.UNKNOWN: "warning",
}
_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}
"""Within GitHub's ranges: above 9.0 critical, from 7.0 high, from 4.0 medium, from 0.1 low. Unknown has no number."""


def sarif(scan: Scan) -> JsonObject:
    """The log file: AEGIS's own run, then one of each scanner that looked."""
    looked = [name for name, results in scan.report.scanner_results.items() if _has_run(results)]
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [_own_run(scan), *(_run(scan, name) for name in looked)]}


def _has_run(results: Sequence[ScanResult]) -> bool:
    return state_of(results) is State.LOOKED or any(result.findings for result in results)


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _own_run(scan: Scan) -> JsonObject:
    whole = scan.verdict in {Verdict.PASSED, Verdict.GAPS, Verdict.FAILED}
    notes = [*_notifications(scan.results), *({"level": "note", "message": _text(note)} for note in scan.report.notes)]
    return {
        "tool": {"driver": {"name": "AEGIS", "version": scan.version, "semanticVersion": scan.version}},
        "automationDetails": {"id": f"aegis/{scan.family.value}/"},
        "invocations": [
            _invocation(
                scan, whole=whole and not _failed(scan.results), notes=notes, exit_code=scan.verdict.exit_status
            )
        ],
        "results": [],
        "properties": {
            "verdict": scan.verdict.value,
            "failOn": scan.fail_on.name,
            "subjects": [clean(subject) for subject in scan.subjects],
            "baseline": clean(scan.baseline) or None,
        },
    }


def _run(scan: Scan, name: str) -> JsonObject:
    results = scan.report.scanner_results[name]
    open_ones = [item for item in scan.report.findings if item.source == name]
    waived = [item for item in scan.report.suppressed if item.finding.source == name]
    gone = [item for item in scan.report.comparison.fixed if item.source == name] if scan.report.comparison else []
    rules = _rules([*open_ones, *(item.finding for item in waived), *gone])
    index = {str(rule["id"]): at for at, rule in enumerate(rules)}
    states = _baseline_states(scan.report.comparison)

    def made_of(item: SecurityFinding) -> JsonObject:
        return _result(scan, item, index[_rule_id(item)], _state(states, item))

    made = [made_of(item) for item in open_ones]
    for one in waived:
        until = f"; until {one.expires}" if one.expires else ""
        said = f"{one.waiver}: {one.reason} (answered for by {one.owner}{until})"
        suppression = {"kind": "external", "status": "accepted", "justification": clean(said)}
        made.append({**made_of(one.finding), "suppressions": [suppression]})
    made += [{**made_of(item), "baselineState": "absent"} for item in gone]
    whole = all(result.status.complete for result in results)
    return {
        "tool": {"driver": {**_driver(name, results), "rules": rules}},
        "automationDetails": {"id": f"aegis/{scan.family.value}/{name}/"},
        "invocations": [_invocation(scan, whole=whole, notes=_notifications(results))],
        "results": made,
    }


def _driver(name: str, results: Sequence[ScanResult]) -> JsonObject:
    tools = [result.tool for result in results]
    version = next((tool.version for tool in tools if tool.version), "")
    database = next((tool.database for tool in tools if tool.database), None)
    digest = next((tool.digest for tool in tools if tool.digest), "")
    known = {"digest": clean(digest), "database": database.isoformat() if database else ""}
    properties = {key: value for key, value in known.items() if value}
    return {
        "name": f"AEGIS {name}",
        **({"version": line(version)} if version else {}),
        **({"properties": properties} if properties else {}),
    }


def _invocation(scan: Scan, *, whole: bool, notes: Sequence[JsonObject], exit_code: int | None = None) -> JsonObject:
    return {
        "executionSuccessful": whole,
        "startTimeUtc": scan.started.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "endTimeUtc": scan.ended.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        **({"exitCode": exit_code} if exit_code is not None else {}),
        **({"toolExecutionNotifications": list(notes)} if notes else {}),
    }


def _notifications(results: Iterable[ScanResult]) -> list[JsonObject]:
    notes: list[JsonObject] = []
    for result in results:
        if not result.status.complete:
            level = "warning" if result.status is ScanStatus.SKIPPED else "error"
            said = f"{result.scanner} did not look at everything ({result.status.value}): {why(result)}"
            notes.append({"level": level, "message": _text(said), "descriptor": {"id": f"aegis/{result.status.value}"}})
        notes += [{"level": "note", "message": _text(f"{result.scanner}: {note}")} for note in result.coverage.notes]
    return notes


def _failed(results: Iterable[ScanResult]) -> bool:
    return any(not result.status.complete for result in results)


# ── rules and results ────────────────────────────────────────────────────────────────────────────────────────────────


def _rules(findings: Iterable[SecurityFinding]) -> list[JsonObject]:
    """Each rule once, as severe as the worst finding of it."""
    worst: dict[str, SecurityFinding] = {}
    for item in findings:
        name = _rule_id(item)
        if name not in worst or item.severity > worst[name].severity:
            worst[name] = item
    return [_rule(name, item) for name, item in worst.items()]


def _rule(name: str, item: SecurityFinding) -> JsonObject:
    score = {"security-severity": _SCORES[item.severity]} if item.severity in _SCORES else {}
    return {
        "id": name,
        "shortDescription": _text(line(item.title or name)),
        "fullDescription": _text(clean(item.description or item.title or name, 1000)),
        "help": _text(clean(item.description or item.title or name)),
        **({"helpUri": link(item.reference)} if link(item.reference) else {}),
        "defaultConfiguration": {"level": _LEVELS[item.severity]},
        "properties": {**score, "tags": ["security", item.category.value, item.severity.name.lower()]},
    }


def _result(scan: Scan, item: SecurityFinding, rule: int, state: str) -> JsonObject:
    mark = item.fingerprint.removeprefix("sha256:")
    return {
        "ruleId": _rule_id(item),
        "ruleIndex": rule,
        "level": _LEVELS[item.severity],
        "message": _text(_message(item)),
        "locations": [_location(scan, item)],
        "partialFingerprints": {"aegisFingerprint/v1": mark, "primaryLocationLineHash": f"{mark[:16]}:1"},
        **({"baselineState": state} if state else {}),
        "properties": {"severity": item.severity.name, "fails": scan.fails(item), **_package(item)},
    }


def _baseline_states(comparison: SecurityComparison | None) -> dict[str, str] | None:
    """By fingerprint, of what is not `unchanged`; None without a baseline."""
    if comparison is None:
        return None
    changed = (*comparison.worse, *comparison.newly_fixable)
    return {one.fingerprint: "updated" for one in changed} | {one.fingerprint: "new" for one in comparison.new}


def _state(states: dict[str, str] | None, item: SecurityFinding) -> str:
    return "" if states is None else states.get(item.fingerprint, "unchanged")


def _location(scan: Scan, item: SecurityFinding) -> JsonObject:
    place = place_of(scan, item)
    whole = "/".join(filter(None, (item.subject.namespace, item.subject.kind, item.subject.name, item.location)))
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(clean(place.file, 2000), safe="/:@!$&'()*+,;=~")},
            "region": {"startLine": max(place.line, 1)},
        },
        "logicalLocations": [{"fullyQualifiedName": clean(whole, 2000), "kind": "resource"}],
    }


def _message(item: SecurityFinding) -> str:
    what = " ".join(filter(None, (item.package, item.installed_version)))
    mended = f"; mended in {item.fixed_version}" if item.fixed_version else ""
    where = f" [{what}{mended}]" if what else ""
    return f"{item.title}: {item.subject}{where}. {item.description}".strip()


def _package(item: SecurityFinding) -> JsonObject:
    known = {
        "package": item.package,
        "installedVersion": item.installed_version,
        "fixedVersion": item.fixed_version,
        "purl": item.purl,
    }
    return {key: clean(value, 1000) for key, value in known.items() if value}


def _rule_id(item: SecurityFinding) -> str:
    return line(item.rule_id, 255) or "unnamed"


def _text(text: str) -> JsonObject:
    return {"text": clean(text) or "-"}
