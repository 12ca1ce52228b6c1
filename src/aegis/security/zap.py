"""`zap_baseline_scan`: ZAP's baseline scan of a URL, as one call that needs no client."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aegis.model.scan import ScanStatus
from aegis.security.desk import Desk
from aegis.security.scanners.zap import look
from aegis.security.zaproxy.report import NAME

__all__ = ["zap_baseline_scan"]


async def zap_baseline_scan(target_url: str, timeout_seconds: int = 300, *, desk: Desk | None = None) -> dict[str, Any]:
    """Let ZAP follow the links of a service and judge what it answers; nothing is attacked. Nothing that ZAP does is raised.

    Args:
        target_url: an HTTP service that is reachable from here.
        timeout_seconds: how long it may take, a first pull of ZAP's image included.
        desk: what to work with; None: the settings of this user (`security.zap_enabled`, `zap_image`, `zap_api_url`).

    Returns:
        `target_url`, `tool` (`zap`), `timeout_seconds`, `status` (`clean`, `findings`, `skipped`, `errored`), `passed` (true
        only for `passed`: a scan that looked at the service and found no fault), `skipped`, `reason`, `alerts` (one a rule,
        false positives left out), `summary` (how many of them are `high`, `medium`, `low`, `info`), `raw_report` (ZAP's own,
        without secrets, or None) and `coverage` (what limited the look).

    Raises:
        UsageError: if the settings cannot be read.
    """
    if desk is None:
        desk = _configured()
    answer: dict[str, Any] = {
        "target_url": target_url,
        "tool": NAME,
        "timeout_seconds": timeout_seconds,
        "status": "skipped",
        "passed": False,
        "skipped": True,
        "reason": "switched off: security.zap_enabled",
        "alerts": [],
        "summary": {"high": 0, "medium": 0, "low": 0, "info": 0},
        "raw_report": None,
        "coverage": [],
    }
    if desk is None:
        return answer
    timeouts = {**desk.rules.timeouts, NAME: float(timeout_seconds)}
    looked = await look(target_url, replace(desk, rules=replace(desk.rules, timeouts=timeouts)))
    result = looked.result
    return answer | {
        "status": result.status.word,
        "passed": result.status is ScanStatus.CLEAN,
        "skipped": result.status is ScanStatus.SKIPPED,
        "reason": result.reason,
        "alerts": result.details.get("alerts", []),
        "summary": result.details.get("summary", answer["summary"]),
        "raw_report": looked.raw,
        "coverage": list(result.coverage.notes),
    }


def _configured() -> Desk | None:
    """What this user's settings give; None where ZAP is switched off."""
    from aegis.settings import load
    from aegis.wiring.scanning import scan_desk

    loaded = load()
    return scan_desk(loaded) if loaded.settings.security.zap_enabled else None
