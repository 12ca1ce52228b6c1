"""GitLab's security reports, schema 15.2.1 (GitLab takes every 15.x): container scanning for images, else SAST.

GitLab has one shape a kind of scan. An image is `container_scanning` (artifact `reports: container_scanning`). What is
written in files is `sast` (artifact `reports: sast`): GitLab's own scanner for infrastructure as code reports manifests
in that shape too, and there is none for what runs. Findings that somebody answers for have no place in either: they
are messages of the scan.

Source: the schemas that GitLab validates reports with (`security-report-schemas`).
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from aegis.model.refs import JsonObject
from aegis.model.scan import ScanStatus
from aegis.model.security import SecurityFinding
from aegis.security.reports.place import place_of
from aegis.security.reports.scan import Family, Scan, why
from aegis.security.reports.text import clean, line, link

VERSION: Final = "15.2.1"
_SPACE: Final = uuid.UUID("6f1d6a5e-3f0b-5f57-9a53-0a2f6d2a7b11")
"""Of the ids: a fault keeps its id from run to run."""
_NAMED: Final = re.compile(r"(CVE|CWE|GHSA)-[0-9A-Za-z-]+")


def gitlab(scan: Scan) -> JsonObject:
    """The document."""
    by = {"id": "aegis", "name": "AEGIS", "version": scan.version, "vendor": {"name": "AEGIS"}}
    whole = all(result.status.complete or result.status is ScanStatus.SKIPPED for result in scan.results)
    messages = list(_messages(scan))
    return {
        "version": VERSION,
        "scan": {
            "analyzer": by,
            "scanner": by,
            "type": "container_scanning" if scan.family is Family.IMAGE else "sast",
            "start_time": _time(scan.started),
            "end_time": _time(scan.ended),
            "status": "success" if whole and scan.verdict.exit_status in {0, 1} else "failure",
            **({"messages": messages} if messages else {}),
        },
        "vulnerabilities": [_vulnerability(scan, item) for item in scan.report.findings],
    }


def _messages(scan: Scan) -> Iterator[JsonObject]:
    for result in scan.results:
        if not result.status.complete:
            level = "warn" if result.status is ScanStatus.SKIPPED else "fatal"
            yield {"level": level, "value": line(f"{result.scanner} ({result.status.value}): {why(result)}", 2000)}
        for note in result.coverage.notes:
            yield {"level": "info", "value": line(f"{result.scanner}: {note}", 2000)}
    for item in scan.report.suppressed:
        until = f" until {item.expires}" if item.expires else ""
        said = f"{item.finding.rule_id} in {item.finding.subject} is waived{until} by {item.owner}: {item.reason}"
        yield {"level": "info", "value": line(said, 2000)}


def _vulnerability(scan: Scan, item: SecurityFinding) -> JsonObject:
    mended = f"Upgrade {item.package} from {item.installed_version} to {item.fixed_version}."
    return {
        "id": str(uuid.uuid5(_SPACE, item.fingerprint)),
        "name": line(item.title or item.rule_id, 255),
        "description": clean(item.description or item.title),
        "severity": item.severity.name.capitalize(),
        **({"solution": line(mended, 7000)} if item.fixed_version else {}),
        "identifiers": [_identifier(item, name) for name in dict.fromkeys((item.rule_id or "unnamed", *item.aliases))],
        **({"links": [{"url": link(item.reference)}]} if link(item.reference) else {}),
        "location": _image_location(scan, item) if scan.family is Family.IMAGE else _file_location(scan, item),
        "details": _details(item),
    }


def _identifier(item: SecurityFinding, name: str) -> JsonObject:
    known = _NAMED.fullmatch(name)
    kind = known[1].lower() if known else f"aegis_{item.source}"
    return {"type": kind, "name": line(name, 255) or "unnamed", "value": line(name, 255) or "unnamed"}


def _image_location(scan: Scan, item: SecurityFinding) -> JsonObject:
    return {
        "dependency": {
            "package": {"name": line(item.package or item.location or "unknown")},
            "version": line(item.installed_version or "unknown"),
        },
        "operating_system": line(_system(item)),
        "image": line(item.subject.name or (scan.subjects or ("unknown",))[0]),
    }


def _system(item: SecurityFinding) -> str:
    """The distribution by the package's URL, as in `pkg:deb/debian/zlib1g?distro=debian-12.5`."""
    distro = re.search(r"[?&]distro=([A-Za-z0-9._%-]+)", item.purl)
    if distro:
        return distro[1]
    parts = item.purl.removeprefix("pkg:").split("/")
    return parts[1] if parts[0] in {"deb", "rpm", "apk"} and len(parts) > 1 and parts[1] else "unknown"


def _file_location(scan: Scan, item: SecurityFinding) -> JsonObject:
    place = place_of(scan, item)
    return {
        "file": line(place.file, 2000),
        "start_line": max(place.line, 1),
        "class": line(str(item.subject)),
        **({"method": line(item.location)} if item.location else {}),
    }


def _details(item: SecurityFinding) -> JsonObject:
    told = {"scanner": ("Scanner", item.source), "where": ("Where", f"{item.subject} {item.location}".strip())}
    return {key: {"type": "text", "name": name, "value": line(value, 2000)} for key, (name, value) in told.items()}


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")
