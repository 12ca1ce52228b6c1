"""What a report of ZAP's says of a service, and whether ZAP looked at it at all. Pure.

An exit status says nothing: what was covered is read from the report's `insights`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from aegis.model.refs import JsonObject, ObjectRef
from aegis.model.scan import Coverage, ScanResult, ScanStatus, Tool
from aegis.model.security import Category, SecurityFinding
from aegis.security.zaproxy.report import FALSE_POSITIVE, NAME, Alert, Report, host_of, same_site

MOSTLY = 50
"""Percent of answers 5xx, or of requests that failed, from which on a scan does not count as one."""


def result_of(report: Report, target: str, *, tool: Tool, notes: Sequence[str] = ()) -> ScanResult:
    """What a report says of a service.

    CLEAN and FINDINGS only where ZAP says that it met endpoints of that very site, that most of its requests got an answer,
    and that most answers were no 5xx: a service that is broken shows no faults. Informational alerts and those that ZAP
    itself calls false positives are no findings; `details` counts them.
    """
    here = [one for one in report.alerts if host_of(one.host) == host_of(target)]
    findings = tuple(finding for alert in here if alert.counts for finding in _findings(alert, target))
    status, reason = _covered(report, target)
    if status is ScanStatus.CLEAN and findings:
        status = ScanStatus.FINDINGS
    elsewhere = sorted({site for site in report.sites if host_of(site) != host_of(target)})
    said = [*notes, *_notes(report, target)]
    if elsewhere:
        said.append(f"left out, being other hosts: {', '.join(elsewhere[:5])}")
    return ScanResult(
        scanner=NAME,
        status=status,
        findings=findings,
        coverage=Coverage(expected=(target,), scanned=(target,) if status.complete else (), notes=tuple(said)),
        tool=replace(tool, version=report.version or tool.version),
        reason=reason,
        details=details(here, report, target),
    )


def details(alerts: Sequence[Alert], report: Report, target: str) -> JsonObject:
    """What only ZAP has to say."""
    shown = [alert for alert in alerts if alert.confidence != FALSE_POSITIVE]
    return {
        "target_url": target,
        "summary": summary(shown),
        "alerts": [alert.to_dict() for alert in shown],
        "false_positives": len(alerts) - len(shown),
        "capped": sorted({alert.ref for alert in shown if alert.capped}),
        "insights": {one.key: one.value for one in report.insights if not one.site or same_site(one.site, target)},
    }


def summary(alerts: Iterable[Alert]) -> JsonObject:
    """How many rules were met at each level; `high`, `medium`, `low` and `info` are all named."""
    counts = dict.fromkeys(("high", "medium", "low", "info"), 0)
    for alert in alerts:
        counts[alert.level] += 1
    return dict(counts)


def aligned(before: ScanResult, after: ScanResult) -> tuple[ScanResult, ScanResult]:
    """Both results, so that their findings can be compared.

    A rule that either met too often to name every place is one finding in both: else a page that ZAP happened not to name
    before would look new.
    """
    capped = {*before.details.get("capped", ()), *after.details.get("capped", ())}
    return _leveled(before, capped), _leveled(after, capped)


def _leveled(result: ScanResult, capped: set[str]) -> ScanResult:
    found = (replace(one, location="*") if one.rule_id in capped else one for one in result.findings)
    return replace(result, findings=tuple({(one.rule_id, one.location): one for one in found}.values()))


def _findings(alert: Alert, target: str) -> Iterator[SecurityFinding]:
    subject = ObjectRef(api_version="", kind="Url", name=target)
    places = {instance.place: instance.evidence for instance in alert.instances} or {"*": ""}
    for place, seen in places.items():
        evidence = f" Evidence: {seen}" if seen else ""
        yield SecurityFinding(
            source=NAME,
            rule_id=alert.ref,
            severity=alert.severity,
            title=alert.name,
            description=f"{alert.description}{evidence} {alert.solution}".strip(),
            subject=subject,
            location=place,
            reference=alert.reference,
            category=Category.WEB,
        )


def _covered(report: Report, target: str) -> tuple[ScanStatus, str]:
    """CLEAN where the whole was looked at, else how it is not and why."""
    if not any(same_site(site, target) for site in report.sites):
        return ScanStatus.ERROR, f"ZAP met no page of {target}: is it reachable from where ZAP runs?"
    if not report.insights:
        return ScanStatus.PARTIAL, "the report says nothing of its coverage (`insights`): take ZAP 2.17 or later"
    if not report.value("insight.endpoint.total", target):
        return ScanStatus.ERROR, f"ZAP met no endpoint of {target}: is it reachable from where ZAP runs?"
    for key, words in _SPOILT.items():
        percent = report.value(key, target) or 0
        if percent >= MOSTLY:
            return ScanStatus.PARTIAL, f"{percent:g} % of {words}: what is broken shows no faults"
    for key, words in _FULL.items():
        if report.value(key, target):
            return ScanStatus.PARTIAL, f"ZAP's own {words} was full"
    return ScanStatus.CLEAN, ""


_SPOILT = {"insight.code.5xx": "the answers were 5xx", "insight.network.failure": "ZAP's requests failed"}
_FULL = {"insight.database.full": "database", "insight.diskspace.full": "disk"}


def _notes(report: Report, target: str) -> Iterator[str]:
    total = report.value("insight.endpoint.total", target)
    if total:
        yield f"{total:g} endpoints"
    for key, words in (
        ("insight.code.4xx", "of the answers were 4xx"),
        ("insight.code.5xx", "of the answers were 5xx"),
        ("insight.network.failure", "of the requests failed"),
        ("insight.auth.failure", "of the logins failed"),
    ):
        percent = report.value(key, target)
        if percent:
            yield f"{percent:g} % {words}"
