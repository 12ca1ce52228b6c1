"""`check_falco_alerts`: whether Falco saw anything grave in a namespace, as one call that needs no client.

It opens the default wiring itself: the settings of this user and the cluster that they name.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from aegis.drivers.kubernetes import connect
from aegis.errors import AegisError, Unavailable
from aegis.evidence.falco import FalcoPlace
from aegis.falco.priority import Priority
from aegis.model.refs import JsonObject
from aegis.model.scan import Runtime, ScanResult, ScanStatus
from aegis.security.desk import Desk, ScanRules
from aegis.security.scanners.falco import NAME, look

__all__ = ["FALCO_PRIORITY_ORDER", "PRIORITY_LEVELS", "check_falco_alerts"]

FALCO_PRIORITY_ORDER: Final = tuple(priority.name for priority in sorted(Priority, reverse=True))
"""Falco's priorities, the gravest last."""

PRIORITY_LEVELS: Final[Mapping[str, int]] = MappingProxyType({name: n for n, name in enumerate(FALCO_PRIORITY_ORDER)})
"""How grave each is; more is graver."""

_NAMESPACE, _LABELS = "falco", "app=falco"
"""The defaults: Falco is looked for there first, then anywhere, by the chart's labels too."""

_SUMMARY: Final = {
    Priority.EMERGENCY: "critical",
    Priority.ALERT: "critical",
    Priority.CRITICAL: "critical",
    Priority.ERROR: "error",
    Priority.WARNING: "warning",
}


async def check_falco_alerts(  # noqa: PLR0917 - a signature that users know
    namespace: str,
    since_timestamp: datetime,
    severity_threshold: str = "WARNING",
    timeout_seconds: int = 30,
    falco_namespace: str = _NAMESPACE,
    label_selector: str = _LABELS,
    fallback_since_minutes: int = 10,
) -> dict[str, Any]:
    """Read what Falco's pods logged of a namespace, from a moment until now. It raises for nothing that Falco does.

    Args:
        namespace: whose alerts, compared as a whole.
        since_timestamp: from which event on; without a zone it is UTC.
        severity_threshold: the lowest priority that counts, in any case.
        timeout_seconds: how long it may take.
        falco_namespace: where Falco is. The default is looked at first, then every namespace.
        label_selector: of Falco's pods. The default stands for the labels of the official chart too.
        fallback_since_minutes: how far back, where `since_timestamp` is None.

    Returns:
        `tool`, `status` (`clean`, `dirty`, `unknown`, `skipped`, `errored`), `passed` (true only for `clean`), `skipped`,
        `reason`, `namespace_filter`, `falco_namespace` and `label_selector` (what matched), `since_timestamp`,
        `since_minutes`, `severity_threshold`, `alert_count` and `summary` of those that count, `alerts` (at most a
        thousand of them), `raw_lines_count`, `stderr` (what limited the look, or None).
    """
    now = datetime.now(UTC)
    asked = _Asked(
        namespace=namespace,
        since=_aware(since_timestamp, now - timedelta(minutes=fallback_since_minutes)),
        until=now,
        threshold=severity_threshold.upper(),
        falco=FalcoPlace(namespace=falco_namespace, labels=label_selector),
    )
    threshold = Priority.parse(severity_threshold)
    if threshold is None:
        return asked.ended("errored", f"{severity_threshold!r} is none of {', '.join(FALCO_PRIORITY_ORDER)}")
    if asked.since >= now:
        return asked.ended("errored", "since_timestamp lies in the future")
    rules = ScanRules(falco_threshold=threshold, timeout=timeout_seconds)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _checked(asked, rules)
    except TimeoutError:
        return asked.ended("errored", f"no answer within {timeout_seconds:g} s")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What was asked, and the shape of every answer."""

    namespace: str
    since: datetime
    until: datetime
    threshold: str
    falco: FalcoPlace

    def ended(self, status: str, reason: str = "", **more: Any) -> JsonObject:
        """An answer; what is not given is as if nothing was seen."""
        return {
            "tool": NAME,
            "passed": status == "clean",
            "skipped": status == "skipped",
            "status": status,
            "reason": reason or None,
            "namespace_filter": self.namespace,
            "falco_namespace": self.falco.namespace,
            "label_selector": self.falco.labels,
            "since_timestamp": self.since.isoformat(),
            "since_minutes": max(1, math.ceil((self.until - self.since) / timedelta(minutes=1))),
            "severity_threshold": self.threshold,
            "alert_count": 0,
            "summary": dict.fromkeys(("critical", "error", "warning", "other"), 0),
            "alerts": [],
            "raw_lines_count": 0,
            "stderr": None,
        } | more


async def _checked(asked: _Asked, rules: ScanRules) -> JsonObject:
    from aegis.settings import load

    try:
        loaded = load()
        security = loaded.settings.security
        if not security.falco_enabled:
            return asked.ended("skipped", "switched off: security.falco_enabled")
        places = _places(
            asked.falco, FalcoPlace(namespace=security.falco_namespace, labels=security.falco_label_selector)
        )
        async with connect(loaded.kube_options()) as reader:
            await reader.cluster()
            subject = Runtime(namespace=asked.namespace, since=asked.since, until=asked.until)
            return _answer(asked, await look(subject, Desk(rules=rules, reader=reader), *places))
    except Unavailable as error:
        return asked.ended("skipped", f"there is no cluster to ask: {error.message}")
    except AegisError as error:
        return asked.ended("errored", error.message)


def _places(asked: FalcoPlace, configured: FalcoPlace) -> tuple[FalcoPlace, ...]:
    """Where to look: what was asked for says it; the defaults mean what is configured, or the usual place, or anywhere."""
    labels = configured.labels if asked.labels == _LABELS else asked.labels
    if asked.namespace != _NAMESPACE:
        return (FalcoPlace(namespace=asked.namespace, labels=labels),)
    if configured.namespace:
        return (FalcoPlace(namespace=configured.namespace, labels=labels),)
    return FalcoPlace(namespace=_NAMESPACE, labels=labels), FalcoPlace(labels=labels)


def _answer(asked: _Asked, result: ScanResult) -> JsonObject:
    seen = result.details
    if "lines" not in seen:
        return asked.ended(result.status.word, result.reason)
    counts = Counter[str]()
    for word, count in seen["by_priority"].items():
        counts[_SUMMARY.get(Priority[word.upper()], "other")] += count
    return asked.ended(
        _status(result),
        _reason(result),
        falco_namespace=",".join(seen["falco_namespaces"]),
        label_selector=",".join(seen["label_selectors"]),
        alert_count=seen["alert_count"],
        summary={word: counts[word] for word in ("critical", "error", "warning", "other")},
        alerts=seen["alerts"],
        raw_lines_count=seen["lines"],
        stderr="; ".join(result.coverage.notes) or None,
    )


def _status(result: ScanResult) -> str:
    """Alerts are alerts, whatever else went unseen; without any, alerts that may be anybody's are not known."""
    if result.details["alert_count"]:
        return "dirty"
    if result.status is ScanStatus.PARTIAL and not result.coverage.missing:
        return "unknown"
    return result.status.word


def _reason(result: ScanResult) -> str:
    count = result.details["alert_count"]
    found = [f"{count} Falco alerts at or above {result.details['threshold']}"] if count else []
    return "; ".join([*found, *([result.reason] if result.reason else [])])


def _aware(moment: datetime | None, fallback: datetime) -> datetime:
    if moment is None:
        return fallback
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
