"""A scanner of running HTTP services: OWASP ZAP's baseline scan, which attacks nothing, by Docker or by a daemon."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace

from aegis.model.redact import redact_object
from aegis.model.refs import JsonObject
from aegis.model.scan import Coverage, ScanResult, ScanStatus, Subject, Tool, Url
from aegis.security.desk import Desk
from aegis.security.zaproxy.container import DOCKER, scan_in_container
from aegis.security.zaproxy.daemon import scan_by_daemon
from aegis.security.zaproxy.judging import result_of
from aegis.security.zaproxy.report import NAME, check_url, load_report, report_of
from aegis.security.zaproxy.taken import NoReport, Taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A result, and the report that it was read from, without secrets; None where there is none."""

    result: ScanResult
    raw: JsonObject | None = None


class Zap:
    """OWASP ZAP: by a daemon where one is configured, else in a container for each scan."""

    name = NAME

    def accepts(self, subject: Subject) -> bool:
        """URLs that are reachable from here; a service that only answers within a cluster is scanned from within it."""
        return isinstance(subject, Url) and not subject.namespace

    async def probe(self, desk: Desk) -> Tool:
        """What would look; its version is known only from its report."""
        if desk.rules.zap_api_url:
            return Tool(name=NAME)
        digest = desk.rules.zap_image.partition("@")[2]
        absent = "" if desk.program(DOCKER) else "Docker is not installed: install it, or set security.zap_api_url"
        return Tool(name=NAME, digest=digest if digest.startswith("sha256:") else "", absent=absent)

    async def scan(self, subject: Subject, desk: Desk) -> ScanResult:
        """Let ZAP follow the links of the service, and judge what it answers."""
        assert isinstance(subject, Url)  # noqa: S101 - `accepts` says so
        return (await look(subject.url, desk)).result


async def look(target: str, desk: Desk) -> Looked:
    """Scan a URL; whatever ZAP, Docker or the daemon does is in the result."""
    tool = Tool(name=NAME)
    if why := check_url(target):
        return Looked(result=_failed(ScanStatus.ERROR, why, target, tool))
    seconds, begun = desk.rules.seconds(NAME), time.monotonic()
    try:
        if desk.rules.zap_api_url:
            taken = await scan_by_daemon(target, desk.rules, seconds)
        else:
            taken = await scan_in_container(target, desk, seconds)
        found = _read(taken, target, tool)
    except NoReport as none:
        absent = none.reason if none.status is ScanStatus.SKIPPED else ""
        found = Looked(result=_failed(none.status, none.reason, target, replace(tool, absent=absent)))
    return replace(found, result=replace(found.result, seconds=time.monotonic() - begun))


def _read(taken: Taken, target: str, tool: Tool) -> Looked:
    tool = replace(tool, digest=taken.image if taken.image.startswith("sha256:") else "")
    try:
        raw = load_report(taken.data)
    except ValueError as error:
        return Looked(result=_failed(ScanStatus.ERROR, str(error), target, tool))
    result = result_of(report_of(raw), target, tool=tool, notes=taken.notes)
    digest = f"sha256:{hashlib.sha256(taken.data).hexdigest()}"
    return Looked(result=replace(result, raw_digest=digest), raw=redact_object(raw))


def _failed(status: ScanStatus, reason: str, target: str, tool: Tool) -> ScanResult:
    return ScanResult(
        scanner=NAME,
        status=status,
        coverage=Coverage(expected=(target,)),
        tool=tool,
        reason=reason,
        details={"target_url": target},
    )


PLUGIN = Zap()
