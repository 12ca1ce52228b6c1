"""Scans as values, with something of everything that a report has to tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from aegis.model.refs import ObjectRef
from aegis.model.report import ScannerOutcome, ScannerVerdict, SecurityReport, Suppressed
from aegis.model.scan import Coverage, ScanResult, ScanStatus, Tool
from aegis.model.security import Category, SecurityComparison, SecurityFinding, Severity
from aegis.security.reports.scan import Family, Scan

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
IMAGE = ObjectRef(api_version="v1", kind="Image", name="registry.example:5000/shop/web:1.2")
HOSTILE = "\x1b[31mred\x1b[0m \x9b1m <script>&\"' ]]> \x00\x08\ufffe\ud800 \u202eevil"


def privileged(**changes: Any) -> SecurityFinding:
    """A finding in a manifest."""
    fields: dict[str, Any] = {
        "source": "podsecurity",
        "rule_id": "pss-baseline-privileged",
        "severity": Severity.CRITICAL,
        "title": "Privileged containers (baseline)",
        "description": "containers[web]: privileged is true. Remove it.",
        "subject": WEB,
        "location": "containers[web].securityContext.privileged",
        "reference": "https://kubernetes.io/docs/concepts/security/pod-security-standards/",
        "file": "deploy/web.yaml",
        "line": 7,
    }
    return SecurityFinding(**{**fields, **changes})


def vulnerable(**changes: Any) -> SecurityFinding:
    """A finding in an image."""
    fields: dict[str, Any] = {
        "source": "trivy",
        "rule_id": "CVE-2023-45853",
        "severity": Severity.HIGH,
        "title": "zlib: integer overflow in zipOpenNewFileInZip4_64",
        "description": "MiniZip in zlib has an integer overflow.",
        "subject": IMAGE,
        "reference": "https://avd.example/nvd/cve-2023-45853",
        "category": Category.VULNERABILITY,
        "aliases": ("GHSA-mq29-j5xf-cjwr",),
        "package": "zlib1g",
        "installed_version": "1:1.2.13",
        "fixed_version": "1:1.3.1",
        "purl": "pkg:deb/debian/zlib1g@1%3A1.2.13?arch=amd64&distro=debian-12.5",
    }
    return SecurityFinding(**{**fields, **changes})


def looked(scanner: str, *findings: SecurityFinding, **changes: Any) -> ScanResult:
    """What a scanner says that looked at everything."""
    fields: dict[str, Any] = {
        "scanner": scanner,
        "status": ScanStatus.FINDINGS if findings else ScanStatus.CLEAN,
        "findings": findings,
        "coverage": Coverage(expected=("Deployment/web in shop",), scanned=("Deployment/web in shop",)),
        "tool": Tool(name=scanner, version="1.0", digest="sha256:ab", database=NOON - timedelta(days=2)),
        "raw_digest": "sha256:cd",
        "seconds": 1.5,
    }
    return ScanResult(**{**fields, **changes})


def absent(scanner: str) -> ScanResult:
    """What a scanner says whose tool is not there."""
    why = f"no {scanner} on PATH. Install it."
    return looked(
        scanner,
        status=ScanStatus.SKIPPED,
        reason=why,
        tool=Tool(name=scanner, absent=why),
        coverage=Coverage(),
        raw_digest="",
        seconds=0.0,
    )


def failed(scanner: str, status: ScanStatus = ScanStatus.TIMEOUT) -> ScanResult:
    """What a scanner says that did not end well."""
    return looked(
        scanner,
        status=status,
        reason=f"{scanner} did not end within 60 s",
        coverage=Coverage(expected=("a", "b"), scanned=("a",)),
    )


def waived(item: SecurityFinding) -> Suppressed:
    """The finding, answered for."""
    return Suppressed(finding=item, waiver="W-7", owner="ana@example.com", reason="not reached", expires="2026-12-31")


def scan(*results: ScanResult, **changes: Any) -> Scan:
    """A scan of one manifest by these results; what is told of the report goes there."""
    by_name: dict[str, tuple[ScanResult, ...]] = {}
    for result in results:
        by_name[result.scanner] = (*by_name.get(result.scanner, ()), result)
    suppressed: tuple[Suppressed, ...] = changes.pop("suppressed", ())
    gone = {item.finding.fingerprint for item in suppressed}
    found = [item for result in results for item in result.findings if item.fingerprint not in gone]
    comparison: SecurityComparison | None = changes.pop("comparison", None)
    report = SecurityReport(
        passed=not found,
        findings=tuple(sorted(found, key=lambda item: -item.severity)),
        scanner_results=by_name,
        timestamp=NOON,
        suppressed=suppressed,
        comparison=comparison,
        verdicts={name: ScannerVerdict(scanner=name, outcome=ScannerOutcome.PASSED) for name in by_name},
        notes=changes.pop("notes", ()),
    )
    fields: dict[str, Any] = {
        "family": Family.MANIFEST,
        "subjects": ("deploy/web.yaml",),
        "report": report,
        "fail_on": Severity.HIGH,
        "started": NOON,
        "ended": NOON + timedelta(seconds=3),
        "version": "9.9.9",
    }
    return Scan(**{**fields, **changes})


def everything() -> Scan:
    """One scan with a finding, a waived one, a tool that is not there, one that failed, and a note."""
    below = privileged(rule_id="pss-restricted-seccomp", severity=Severity.MEDIUM, location="pod.seccompProfile")
    accepted = privileged(rule_id="kubesec-host-network", source="kubesec", location="pod.hostNetwork")
    return scan(
        looked("podsecurity", privileged(), below),
        looked("kubesec", accepted, coverage=Coverage(expected=("x",), scanned=("x",), notes=("CRDs are not scored",))),
        absent("trivy"),
        failed("semgrep"),
        suppressed=(waived(accepted),),
        notes=("waiver W-3 expired on 2026-01-01",),
    )


def of_image(**changes: Any) -> Scan:
    """A scan of an image, with two vulnerabilities."""
    unknown = vulnerable(rule_id="GHSA-xxxx-yyyy-zzzz", severity=Severity.UNKNOWN, fixed_version="", aliases=())
    fields: dict[str, Any] = {"family": Family.IMAGE, "subjects": (IMAGE.name,)}
    return scan(looked("trivy", vulnerable(), unknown), **{**fields, **changes})
