"""Falco's alerts out of VictoriaLogs, asked in LogsQL.

Source: "HTTP querying API" and "LogsQL" of VictoriaLogs' documentation. `/select/logsql/query` answers with one JSON object
a line, every value of it text. A value stands in quotes, so that whatever it is, it stays a value.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from aegis.drivers.http import HttpClient
from aegis.errors import Unavailable
from aegis.evidence.quoting import quoted
from aegis.falco.alert import Alert, parse_moment
from aegis.falco.priority import Priority
from aegis.falco.query import AlertQuery
from aegis.falco.shapes import alert_of
from aegis.ports import AlertBatch

QUERY_PATH: Final = "/select/logsql/query"

_NAMESPACE_FIELDS: Final = ("k8s_ns_name", "output_fields.k8s.ns.name", "output_fields.k8s_ns_name")
"""What the namespace is called: falcosidekick's label, or the field of a line that was JSON."""
_AHEAD: Final = timedelta(hours=1)
"""By how much another clock may be fast."""
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


class VictoriaLogs:
    """A VictoriaLogs that falcosidekick, or a log collector, feeds."""

    name = "victorialogs"

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def read(self, query: AlertQuery, limit: int) -> AlertBatch:
        """The newest alerts that are asked for, the oldest first.

        Raises:
            Unavailable: if it does not answer, or with something else.
        """
        form = {"query": logsql(query, limit), "limit": str(limit)}
        rows = list(_rows(await self._client.post(QUERY_PATH, form)))
        alerts = [alert for row in rows if (alert := _alert(row)) is not None and query.matches(alert)]
        notes = [f"only the newest {limit} were asked for"] if len(rows) >= limit else []
        alerts.sort(key=lambda one: one.time_ns or 0)
        return AlertBatch(alerts=tuple(alerts), notes=tuple(notes))


def logsql(query: AlertQuery, limit: int) -> str:
    """The question in LogsQL: Falco's system call alerts of a window, the newest first.

    A time filter is always there, since without one the whole database is read.
    """
    since = (query.since or _BEGINNING).astimezone(UTC)
    until = (query.until or datetime.now(UTC) + _AHEAD).astimezone(UTC)
    parts = [f"_time:[{since:%Y-%m-%dT%H:%M:%S.%fZ},{until:%Y-%m-%dT%H:%M:%S.%fZ}]", "source:syscall"]
    if query.rule:
        parts.append(f"rule:={quoted(query.rule)}")
    if query.priority is not None:
        words = (priority.word for priority in Priority if priority.at_least(query.priority))
        parts.append(f"priority:in({','.join(quoted(form) for word in words for form in (word, word.lower()))})")
    if query.namespace:
        places = (f"{_name(name)}:={quoted(query.namespace)}" for name in _NAMESPACE_FIELDS)
        parts.append(f"({' or '.join(places)})")
    return f"{' '.join(parts)} | sort by (_time desc) limit {limit}"


def _name(name: str) -> str:
    return name if name.isidentifier() else quoted(name)


def _rows(body: bytes) -> Iterator[dict[str, Any]]:
    for line in body.splitlines():
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Unavailable(f"VictoriaLogs' answer is no JSON: {error}", hint="Is this its URL?") from error
        if not isinstance(row, dict):
            raise Unavailable("VictoriaLogs' answer holds something else than rows", hint="Is this its URL?")
        yield row


def _alert(row: dict[str, Any]) -> Alert | None:
    labels = {name: value for name, value in row.items() if not name.startswith("_")}
    return alert_of(labels, str(row.get("_msg") or ""), parse_moment(str(row.get("_time") or "")))
