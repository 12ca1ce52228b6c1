"""Falco's alerts out of Loki, asked in LogQL.

Source: "Loki HTTP API", `GET /loki/api/v1/query_range`, and "Query examples" of Grafana Loki's documentation. It answers with
streams: labels, and pairs of a time (nanoseconds since 1970, as text) and a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from aegis.drivers.http import HttpClient
from aegis.errors import Unavailable
from aegis.evidence.quoting import quoted
from aegis.falco.alert import Alert
from aegis.falco.priority import Priority
from aegis.falco.query import AlertQuery
from aegis.falco.shapes import alert_of
from aegis.ports import AlertBatch

QUERY_PATH: Final = "/loki/api/v1/query_range"

_PAGE: Final = 1000
"""Lines of one answer; Loki's own limit is 5000."""
_PAGES: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_USUAL: Final = timedelta(hours=24)


class Loki:
    """A Loki that falcosidekick feeds."""

    name = "loki"

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def read(self, query: AlertQuery, limit: int) -> AlertBatch:
        """The newest alerts that are asked for, the oldest first; without a begin, of the last day.

        Raises:
            Unavailable: if it does not answer, or with something else.
        """
        until = _nanoseconds(query.until or datetime.now(UTC)) + 1  # the end is not a part of the window there
        since = _nanoseconds(query.since) if query.since else until - _span(_USUAL)
        alerts: dict[tuple[int, str, str], Alert] = {}
        entries: list[tuple[int, str, dict[str, str]]] = []
        for _ in range(_PAGES):
            entries = await self._page(query, since, until)
            for at, line, labels in entries:
                alert = alert_of(labels, line, at)
                if alert is not None and query.matches(alert):
                    alerts[at, line, str(sorted(labels.items()))] = alert
            oldest = min((at for at, _, _ in entries), default=since)
            if len(entries) < _PAGE or len(alerts) >= limit or oldest + 1 >= until:
                break
            until = oldest + 1  # once more those of that very moment, of which there may be more
        ordered = sorted(alerts.values(), key=lambda one: one.time_ns or 0)
        notes = [f"only the newest {limit} were asked for"] if len(entries) >= _PAGE or len(ordered) > limit else []
        return AlertBatch(alerts=tuple(ordered[-limit:]), notes=tuple(notes))

    async def _page(self, query: AlertQuery, since: int, until: int) -> list[tuple[int, str, dict[str, str]]]:
        params = {
            "query": logql(query),
            "start": str(since),
            "end": str(until),
            "limit": str(_PAGE),
            "direction": "backward",
        }
        return list(_entries(await self._client.get(QUERY_PATH, params)))


def logql(query: AlertQuery) -> str:
    """The question in LogQL: a stream selector of falcosidekick's labels."""
    matchers = ['source="syscall"']
    if query.rule:
        matchers.append(f"rule={quoted(query.rule)}")
    if query.priority is not None:
        words = "|".join(priority.word for priority in Priority if priority.at_least(query.priority))
        matchers.append(f"priority=~{quoted(f'(?i)({words})')}")
    if query.namespace:
        matchers.append(f"k8s_ns_name={quoted(query.namespace)}")
    return f"{{{', '.join(matchers)}}}"


class _Stream(msgspec.Struct):
    stream: dict[str, str]
    values: list[list[Any]]


class _Data(msgspec.Struct):
    resultType: Literal["streams"]  # noqa: N815 - Loki's word
    result: list[_Stream]


class _Answer(msgspec.Struct):
    data: _Data


def _entries(body: bytes) -> Iterator[tuple[int, str, dict[str, str]]]:
    try:
        answer = msgspec.json.decode(body, type=_Answer)
        for stream in answer.data.result:
            for value in stream.values:
                yield int(value[0]), str(value[1]), stream.stream
    except (msgspec.DecodeError, RecursionError, ValueError, TypeError, IndexError) as error:
        raise Unavailable("Loki's answer is not what its API says", hint="Is this its URL?") from error


def _nanoseconds(moment: datetime) -> int:
    return _span(moment - _EPOCH)


def _span(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000
