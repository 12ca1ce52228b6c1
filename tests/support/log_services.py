"""A VictoriaLogs and a Loki that speak their query APIs: questions are parsed and answered from rows, wrong ones refused.

Strings are read as Go reads them (strconv.Unquote), since both services are written in Go.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

_GO = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "\\": "\\", '"': '"'}


class QueryError(ValueError):
    """A question that the service would refuse."""


@dataclass(slots=True)
class Text:
    """A question that is read from left to right."""

    text: str
    at: int = 0

    def eat(self, pattern: str) -> re.Match[str] | None:
        found = re.compile(pattern).match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def need(self, pattern: str) -> re.Match[str]:
        found = self.eat(pattern)
        if found is None:
            raise QueryError(f"{pattern} expected at {self.text[self.at :][:40]!r}")
        return found

    def string(self) -> str:
        """A double-quoted string as Go reads it."""
        self.need('"')
        made: list[str] = []
        while True:
            char = self.need(r"[^\n]")[0]  # a raw line break ends no string in Go: it is an error
            if char == '"':
                return "".join(made)
            made.append(self.escape() if char == "\\" else char)

    def escape(self) -> str:
        kind = self.need(".")[0]
        if kind in _GO:
            return _GO[kind]
        digits = {"x": 2, "u": 4, "U": 8}.get(kind)
        if digits is None:
            raise QueryError(f"no escape: {kind}")
        code = int(self.need(f"[0-9a-fA-F]{{{digits}}}")[0], 16)
        if 0xD800 <= code < 0xE000 or code > 0x10FFFF:
            raise QueryError("a surrogate half is no character")
        return chr(code)


Row = dict[str, str]
Filter = Callable[[Row], bool]

# ── VictoriaLogs ─────────────────────────────────────────────────────────────────────────────────────────────────────


def logsql(text: str) -> tuple[Filter, int]:
    """What a LogsQL query keeps, and how many at most."""
    query = Text(text)
    kept = _all_of(query)
    query.need(r" *\| sort by \(_time desc\) limit ")
    limit = int(query.need(r"\d+$")[0])
    return kept, limit


def _all_of(query: Text) -> Filter:
    filters = [_one(query)]
    while query.eat(" +(?![|)]|or )"):
        filters.append(_one(query))
    return lambda row: all(one(row) for one in filters)


def _one(query: Text) -> Filter:
    if query.eat(r"\("):
        options = [_all_of(query)]
        while query.eat(" +or +"):
            options.append(_all_of(query))
        query.need(r"\)")
        return lambda row: any(one(row) for one in options)
    name = query.string() if query.text.startswith('"', query.at) else query.need(r"[A-Za-z_]\w*")[0]
    query.need(":")
    if name == "_time":
        first, last = query.need(r"\[([^,\]]+),([^\]]+)\]").groups()
        begin, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
        return lambda row: begin <= datetime.fromisoformat(row["_time"]) <= end
    if query.eat("="):
        value = query.string()
        return lambda row: row.get(name, "") == value
    if query.eat(r"in\("):
        values = [query.string()]
        while query.eat(","):
            values.append(query.string())
        query.need(r"\)")
        return lambda row: row.get(name, "") in values
    word = query.need(r"\w+")[0]
    return lambda row: word in re.findall(r"\w+", row.get(name, ""))


# ── Loki ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def logql(text: str) -> Filter:
    """What a stream selector keeps."""
    query = Text(text)
    query.need(r"\{")
    matchers: list[Filter] = []
    while True:
        name, operator = query.need(r"([a-zA-Z_]\w*)(=~|=)").groups()
        value = query.string()
        if operator == "=":
            matchers.append(lambda row, name=name, value=value: row.get(name, "") == value)  # type: ignore[misc]
        else:
            regex = re.compile(value)
            matchers.append(lambda row, name=name, regex=regex: bool(regex.fullmatch(row.get(name, ""))))  # type: ignore[misc]
        if not query.eat(r", *"):
            break
    query.need(r"\}$")
    return lambda row: all(one(row) for one in matchers)


@dataclass(slots=True)
class LogServices:
    """Both, over the same rows.

    Attributes:
        url: of both.
        rows: of VictoriaLogs: fields, with `_time` and `_msg`.
        entries: of Loki: nanoseconds since 1970, labels, line.
        queries: every question.
        headers: with which it came.
        instead: answers that are given first, whatever is asked.
    """

    url: str = ""
    rows: list[Row] = field(default_factory=list)
    entries: list[tuple[int, Row, str]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)
    instead: list[web.StreamResponse] = field(default_factory=list)

    async def victorialogs(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        early = self._take(request, str(form["query"]))
        if early is not None:
            return early
        try:
            kept, limit = logsql(str(form["query"]))
        except QueryError as error:
            return web.Response(status=400, text=f"cannot parse query: {error}")
        found = sorted(filter(kept, self.rows), key=lambda row: row["_time"], reverse=True)
        response = web.StreamResponse(headers={"Content-Type": "application/stream+json"})
        await response.prepare(request)
        for row in found[: min(limit, int(str(form["limit"])))]:
            await response.write(json.dumps(row).encode() + b"\n")
        return response

    async def loki(self, request: web.Request) -> web.StreamResponse:
        asked = request.query
        early = self._take(request, asked["query"])
        if early is not None:
            return early
        assert asked["direction"] == "backward"
        try:
            kept = logql(asked["query"])
        except QueryError as error:
            return web.Response(status=400, text=f"parse error: {error}")
        begin, end = int(asked["start"]), int(asked["end"])
        found = [one for one in self.entries if begin <= one[0] < end and kept(one[1])]
        found = sorted(found, key=lambda one: one[0], reverse=True)[: int(asked["limit"])]
        streams: dict[str, dict[str, Any]] = {}
        for at, labels, line in found:
            stream = streams.setdefault(json.dumps(labels, sort_keys=True), {"stream": labels, "values": []})
            stream["values"].append([str(at), line])
        data = {"resultType": "streams", "result": list(streams.values()), "stats": {}}
        return web.json_response({"status": "success", "data": data})

    def _take(self, request: web.Request, query: str) -> web.StreamResponse | None:
        self.queries.append(query)
        self.headers.append(request.headers)
        return self.instead.pop(0) if self.instead else None


@asynccontextmanager
async def log_services(tls: Any = None) -> AsyncIterator[LogServices]:
    """Both services on loopback, below a prefix as behind an ingress."""
    made = LogServices()
    app = web.Application()
    app.router.add_post("/logs/select/logsql/query", made.victorialogs)
    app.router.add_get("/logs/loki/api/v1/query_range", made.loki)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    made.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}/logs"
    try:
        yield made
    finally:
        await runner.cleanup()
