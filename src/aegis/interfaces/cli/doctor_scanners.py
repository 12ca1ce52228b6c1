"""What `aegis doctor` says of the scanners: which are here, how old what they know is, and what to do about the rest."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from typing import TYPE_CHECKING

from aegis.interfaces.cli.doctor_finding import Finding
from aegis.model.scan import Tool
from aegis.ports import Scanner

if TYPE_CHECKING:
    from aegis.security.desk import Desk
    from aegis.settings import LoadedSettings

_PATIENCE = 20.0
_SENTENCE = re.compile(r"[:.;] +")
_NEED_A_DATABASE = {"trivy": "trivy image --download-db-only, or name a server: security.trivy_server."}
_ELSEWHERE = frozenset({"falco"})
"""Of the cluster, and looked for there."""


async def scanners(loaded: LoadedSettings) -> list[Finding]:
    """Every scanner that works without a cluster. None of them is necessary: what is not here is a gap of each scan."""
    from aegis.security.runner import scanners as known
    from aegis.wiring.scanning import scan_desk

    desk = scan_desk(loaded)
    asked = [scanner for scanner in known() if scanner.name not in _ELSEWHERE]
    async with asyncio.TaskGroup() as group:
        tools = [group.create_task(_probed(scanner, desk)) for scanner in asked]
    return [_finding(loaded, task.result(), desk) for task in tools]


def _finding(loaded: LoadedSettings, tool: Tool, desk: Desk) -> Finding:
    enabled = bool(getattr(loaded.settings.security, f"{tool.name}_enabled", True))
    return told(tool, enabled=enabled, now=desk.now(), days=desk.rules.trivy_database_days)


def told(tool: Tool, *, enabled: bool, now: datetime, days: float) -> Finding:
    """One scanner.

    Args:
        tool: as it was found.
        enabled: whether it is switched on.
        now: the time.
        days: how old what it knows may be.
    """
    check = f"scanner: {tool.name}"
    if not enabled:
        remedy = f"AEGIS_SECURITY__{tool.name.upper()}_ENABLED=true"
        return Finding(check=check, status="warning", detail="switched off", remedy=remedy)
    if tool.absent:
        why, _, remedy = _SENTENCE.sub("\n", tool.absent, count=1).partition("\n")
        return Finding(check=check, status="warning", detail=why, remedy=remedy or tool.absent)
    if tool.database is None and tool.name in _NEED_A_DATABASE:
        detail = f"{tool.version}, without a database: images cannot be scanned"
        return Finding(check=check, status="warning", detail=detail, remedy=_NEED_A_DATABASE[tool.name])
    if tool.database is None:
        return Finding(
            check=check, status="ok", detail=tool.version or "its program is here; more is known once it runs"
        )
    age = (now - tool.database).total_seconds() / 86400
    detail = f"{tool.version}, its database is {age:.0f} days old"
    if age > days:
        remedy = "Renew it (trivy image --download-db-only), or say how old it may be: security.trivy_database_days."
        return Finding(check=check, status="warning", detail=detail, remedy=remedy)
    return Finding(check=check, status="ok", detail=detail)


async def _probed(scanner: Scanner, desk: Desk) -> Tool:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await scanner.probe(desk)
    except TimeoutError:
        why = f"it did not answer within {_PATIENCE:g} s: run it by hand, and see why"
        return Tool(name=scanner.name, absent=why)
