"""Shadows that stand on their own as text for people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from aegis.interfaces.cli.output import columns
from aegis.interfaces.cli.remediation_text import security_lines, verdict_lines
from aegis.model.refs import Json

_MINUTE = 60


def list_text(items: Iterable[Json]) -> str:
    """`kind: ShadowSessionList`."""
    rows = [
        (one["id"], one["target"]["namespace"], _name(one), one["phase"], _ready(one), _left(one), one["namespace"])
        for one in items
    ]
    head = ("shadow", "namespace", "object", "phase", "ready", "time left", "lives in")
    return columns(head, rows, empty="There are no shadows.")


def line_of(item: Json) -> str:
    """One line of a watch."""
    said = f"  {item['message']}" if item["message"] else ""
    return f"{item['id']}  {_name(item)}  {item['phase']}  {_ready(item)} ready{said}"


def session_text(item: Json) -> str:
    """`kind: ShadowSession`."""
    lines = [f"shadow/{item['id']} of {_name(item)} in {item['target']['namespace']}: {item['phase']}"]
    if item["message"]:
        lines.append(f"  {item['message']}")
    if item["namespace"]:
        lines.append(f"  lives in    {item['namespace']}, {_left(item)} left")
    if item["isolation"]:
        proof = item["isolation"]
        lines.append(f"  cut off     {proof['outcome']}: {proof['coverage'] or proof['reason']}")
    lines += [
        f"  runs        {one['kind']}/{one['name']}: {one['ready']} of {one['wanted']} ready"
        for one in item["workloads"]
    ]
    lines += [f"  {pod}" for pod in _pods(item).splitlines()]
    if item["decision"]:
        lines.append(f"  last tried  {item['decision']}")
    lines += [f"  differs     {gap}" for gap in item["gaps"]]
    return "\n".join(lines)


def deleted_text(items: Iterable[Json]) -> str:
    """What was removed."""
    return "\n".join(f"shadow/{one['id']} deleted" for one in items) or "There are no shadows."


def verification_text(item: Json) -> str:
    """`kind: ShadowVerification`."""
    target = f"{item['target']['kind']}/{item['target']['name']} in {item['target']['namespace']}"
    head = f"shadow/{item['shadow']} of {target}: {item['result']} ({item['reason']})"
    security = ["", *security_lines(item["security"])] if item.get("security") else []
    return "\n".join([head, *verdict_lines(item["verdict"]), *security])


def _pods(item: Json) -> str:
    rows = [
        (pod["name"], "ready" if pod["ready"] else "not ready", pod["phase"], pod["restarts"], pod["reason"])
        for pod in item["pods"]
    ]
    return columns(("pod", "", "phase", "restarts", "reason"), rows)


def _name(item: Json) -> str:
    return f"{item['target']['kind']}/{item['target']['name']}"


def _ready(item: Json) -> str:
    ready = sum(min(one["ready"], one["wanted"]) for one in item["workloads"])
    return f"{ready}/{sum(one['wanted'] for one in item['workloads'])}"


def _left(item: Json) -> str:
    seconds = (datetime.fromisoformat(item["expires_at"]) - datetime.now(UTC)).total_seconds()
    if seconds <= 0:
        return "no time"
    return f"{seconds / _MINUTE:.0f}m" if seconds >= _MINUTE else f"{seconds:.0f}s"
