"""Trivy: known vulnerabilities of images and folders, and checks of manifests.

No exit status is believed. A report must parse, name what it covers, and come from a database that is young enough and,
where nothing was found, still knows of the oldest faults (`aegis.security.trivytool.canary`).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from aegis.model.canonical import digest
from aegis.model.scan import Image, Manifests, ScanResult, ScanStatus, Source, Subject, Tool
from aegis.security.desk import Desk
from aegis.security.trivytool import asking, database
from aegis.security.trivytool.asking import Failed
from aegis.security.trivytool.command import Bench
from aegis.security.trivytool.findings import NAME
from aegis.security.trivytool.folders import look_at_folder
from aegis.security.trivytool.images import look_at_image
from aegis.security.trivytool.look import Look
from aegis.security.trivytool.manifests import look_at_manifests
from aegis.security.trivytool.report import Unusable, database_time, text
from aegis.security.trivytool.server import ask_version

_ABSENT = "trivy is not installed: install it (https://trivy.dev), or set security.trivy_path"
_NAMED = 5


class Trivy:
    """Images, folders and manifests."""

    name = NAME

    def accepts(self, subject: Subject) -> bool:
        """Manifests, images and folders."""
        return isinstance(subject, Manifests | Image | Source)

    async def probe(self, desk: Desk) -> Tool:
        """Which trivy, and of when its database is. A program that is known to be malicious is not even asked."""
        program = desk.program(NAME)
        if program is None:
            return Tool(name=NAME, absent=_ABSENT)
        try:
            async with asking.bench(desk, program) as at:
                return await _identify(at)
        except (Failed, OSError) as error:
            return Tool(name=NAME, absent=f"trivy cannot be used: {error}")

    async def scan(self, subject: Subject, desk: Desk) -> ScanResult:
        """Look; whatever goes wrong is in the result."""
        program = desk.program(NAME)
        tool, started = Tool(name=NAME), time.monotonic()
        if isinstance(subject, Image) and subject.layerless:
            return _nothing(subject, ScanStatus.SKIPPED, subject.layerless, tool)
        if program is None:
            return _nothing(subject, ScanStatus.SKIPPED, _ABSENT, replace(tool, absent=_ABSENT))
        try:
            async with asking.bench(desk, program) as at:
                tool = await _identify(at)
                look = await _look(subject, desk, at, tool)
        except Failed as error:
            return _nothing(subject, error.status, error.reason, tool, seconds=time.monotonic() - started)
        except OSError as error:
            reason = f"trivy could not be given what it needs: {error}"
            return _nothing(subject, ScanStatus.ERROR, reason, tool, seconds=time.monotonic() - started)
        return _result(look, tool, time.monotonic() - started)


def _nothing(subject: Subject, status: ScanStatus, reason: str, tool: Tool, *, seconds: float = 0.0) -> ScanResult:
    details = {"image": subject.reference} if isinstance(subject, Image) else {}
    return ScanResult(scanner=NAME, status=status, reason=reason, tool=tool, seconds=seconds, details=details)


def _result(look: Look, tool: Tool, seconds: float) -> ScanResult:
    missing = look.coverage.missing
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        reason = "; ".join((f"trivy did not look at {', '.join(missing[:_NAMED])}{more}", *look.coverage.notes))
        status = ScanStatus.PARTIAL
    else:
        status, reason = (ScanStatus.FINDINGS if look.findings else ScanStatus.CLEAN), ""
    return ScanResult(
        scanner=NAME,
        status=status,
        reason=reason,
        findings=look.findings,
        coverage=look.coverage,
        tool=tool,
        raw_digest=look.digests[0] if len(look.digests) == 1 else digest(list(look.digests)) if look.digests else "",
        seconds=seconds,
        details=look.details,
    )


async def _identify(at: Bench) -> Tool:
    """The trivy at hand; one that must not be run is not run.

    Raises:
        Failed: if it does not say what it is.
        OSError: if its file cannot be read.
    """
    program = await asyncio.to_thread(database.inspect, at.program)
    if why := database.refusal(program.version):
        return Tool(name=NAME, version=program.version, digest=program.digest, absent=why)
    said = await asking.version(at)
    try:
        known = await ask_version(at.server) if at.server else said
        updated = database_time(known)
    except Unusable as error:
        raise Failed(ScanStatus.ERROR, str(error)) from error
    version, server = text(said, "Version"), text(known, "Version")
    why = database.refusal(version) or database.refusal(server)
    if at.server:
        version = f"{version} (server {server or 'unknown'})"
    return Tool(name=NAME, version=version, digest=program.digest, database=updated, absent=why)


async def _look(subject: Subject, desk: Desk, at: Bench, tool: Tool) -> Look:
    """Look at a subject.

    Raises:
        Failed: if nothing came of it.
        OSError: if files cannot be read or written.
    """
    if tool.absent:
        raise Failed(ScanStatus.ERROR, tool.absent)
    if isinstance(subject, Manifests):
        return await look_at_manifests(subject.objects, at)
    if why := database.doubt(tool.database, now=desk.now(), days=desk.rules.trivy_database_days):
        raise Failed(ScanStatus.ERROR, why)
    if isinstance(subject, Image):
        empty = subject.reference in desk.rules.trivy_scratch
        return await look_at_image(subject, at, updated=tool.database, empty=empty)
    assert isinstance(subject, Source)  # noqa: S101 - `accepts` says so
    return await look_at_folder(subject, at, updated=tool.database)


PLUGIN = Trivy()
