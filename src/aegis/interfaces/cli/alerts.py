"""`aegis alerts list|watch|import`: Falco's alerts, wherever they are."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from aegis.errors import UsageError
from aegis.interfaces.cli.options import Globals, group, moment
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import columns, document, emit, list_document, rendered, stream, write
from aegis.interfaces.cli.session import run_async, run_watch, settings_of

if TYPE_CHECKING:
    from aegis.falco.alert import Alert
    from aegis.falco.query import AlertQuery
    from aegis.model.refs import JsonObject
    from aegis.ports import AlertBatch, AlertSource

_STREAMING = ("table", "json", "yaml", "jsonl")
_HEAD = ("time", "priority", "namespace", "pod", "rule", "process")
_LIMIT = 1000
_MOST = 100_000
_POLL_SECONDS = 1.0
_OVERLAP = timedelta(seconds=30)
"""How far back is asked again: a log service shows an alert a while after it happened."""
_SERVICES = frozenset({"victorialogs", "loki"})
_REMOTE = _SERVICES | {"falco"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_USUAL = timedelta(hours=24)
_WIDEST = 60


def _choosing(function: Any) -> Any:
    """The options by which alerts are chosen."""
    for option in reversed([
        click.argument("file", required=False),
        click.option(
            "--source",
            default="store",
            metavar="SOURCE",
            help="store (default), falco (the logs of the cluster's Falco pods), victorialogs, loki, a file, or - (stdin).",
        ),
        click.option("--since", metavar="TIME", help="From when on: 30m, 24h, 7d, or 2026-03-01T12:00:00Z."),
        click.option("--until", metavar="TIME", help="Up to when."),
        click.option(
            "--priority", metavar="PRIORITY", help="This priority or a graver one: notice, warning, critical…"
        ),
        click.option("--rule", default="", help="Only of this rule, by its full name."),
        click.option(
            "--limit", default=_LIMIT, type=click.IntRange(1, _MOST), help=f"At most so many, the newest ({_LIMIT})."
        ),
    ]):
        function = option(function)
    return function


@group(
    "alerts",
    examples="aegis alerts import falco.jsonl\naegis alerts list -n shop --priority warning --since 24h\n"
    "aegis alerts watch --source falco",
)
def command() -> None:
    """Falco's alerts: those that were kept, a log file's, those of the cluster's Falco pods, or of a log service."""


@make(
    "list",
    outputs=_STREAMING,
    examples="aegis alerts list -n shop --priority critical --since 24h\naegis alerts list falco.log -o jsonl\n"
    "kubectl logs -n falco ds/falco -c falco | aegis alerts list -\naegis alerts list --source victorialogs -o json",
    parent=command,
)
@_choosing
@click.option("-w", "--watch", is_flag=True, help="Go on with each new one, until interrupted or --timeout is over.")
@click.pass_obj
def list_alerts(options: Globals, /, watch: bool, **how: Any) -> None:  # noqa: FBT001 - click gives it by name
    """Print alerts, the oldest first.

    Without a time a cluster or a log service is asked for the last 24 hours.
    """
    if watch:
        run_watch(_follow(options, how, first=True), options)
    else:
        run_async(_list(options, how), options)


@make(
    "watch",
    outputs=_STREAMING,
    examples="aegis alerts watch --source falco -n shop\nkubectl logs -f -n falco ds/falco | aegis alerts watch - -o jsonl",
    parent=command,
)
@_choosing
@click.pass_obj
def watch_alerts(options: Globals, /, **how: Any) -> None:
    """Print each new alert, until interrupted or --timeout is over; with --since those before, too."""
    run_watch(_follow(options, how, first=bool(how["since"])), options)


@make("import", examples="aegis alerts import falco.jsonl\naegis alerts import - < falco.log", parent=command)
@click.argument("file")
@click.pass_obj
def import_alerts(options: Globals, file: str) -> None:
    """Keep the alerts of a log file (`-`: stdin), each once however often it is imported."""
    new, known = run_async(_import(options, file), options)
    result = document("AlertImport", file=file, accepted=new, duplicates=known)
    emit(options, result, lambda: f"{new} alerts kept, {known} were there already")


# ── from what was asked to the answer ────────────────────────────────────────────────────────────────────────────────


async def _list(options: Globals, how: dict[str, Any]) -> None:
    query = _query(options, how)
    async with _opened(options, how) as source:
        batch = await source.read(query, how["limit"])
    _note(options, batch)
    if options.output == "jsonl":
        write(options, "".join(rendered("jsonl", _item(one), str) + "\n" for one in batch.alerts))
        return
    listed = list_document("Alert", map(_item, batch.alerts)) | {"notes": list(batch.notes)}
    emit(options, listed, lambda: columns(_HEAD, map(_row, batch.alerts), empty="No alerts."))


async def _follow(options: Globals, how: dict[str, Any], *, first: bool) -> None:
    """What is there (if it is wanted), then what comes; each once."""
    query = _query(options, how)
    if _source(how) == "-":
        await _follow_stdin(options, query)
        return
    seen = _Seen()
    async with _opened(options, how) as source:
        while True:
            batch = await source.read(query, _MOST if seen.any else how["limit"])
            _tell(options, batch, seen, first=first or seen.any)
            seen.any = True
            if source.name in _SERVICES:
                query = replace(query, since=max(query.since or _EPOCH, datetime.now(UTC) - _OVERLAP))
            await asyncio.sleep(_POLL_SECONDS)


def _tell(options: Globals, batch: AlertBatch, seen: _Seen, *, first: bool) -> None:
    """Print what was not seen yet; of what is there at first only if it is wanted."""
    if not seen.any:
        _note(options, batch)
    for alert in batch.alerts:
        if seen.is_new(alert) and first:
            stream(options, _item(alert), partial(_line, alert))


class _Seen:
    """Which alerts were seen: the last so many."""

    def __init__(self) -> None:
        self.any = False
        self._marks: dict[str, None] = {}

    def is_new(self, alert: Alert) -> bool:
        """Whether it was not seen before; from now on it was."""
        from aegis.falco.identity import identity

        mark = identity(alert)
        if mark in self._marks:
            return False
        self._marks[mark] = None
        if len(self._marks) > _MOST:
            del self._marks[next(iter(self._marks))]
        return True


async def _follow_stdin(options: Globals, query: AlertQuery) -> None:
    """Each line as it comes, until the stream ends. A thread waits for it, which nobody has to wait for."""
    import threading

    from aegis.falco.lines import alerts_in

    loop = asyncio.get_running_loop()
    come: asyncio.Queue[Alert | None] = asyncio.Queue()

    def read() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            for alert in alerts_in(unbuffered_stdin(), query):
                loop.call_soon_threadsafe(come.put_nowait, alert)
            loop.call_soon_threadsafe(come.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    while (alert := await come.get()) is not None:
        stream(options, _item(alert), partial(_line, alert))


async def _import(options: Globals, file: str) -> tuple[int, int]:
    from aegis.falco.lines import alerts_in
    from aegis.falco.query import AlertQuery
    from aegis.wiring.alerts import alert_store

    store = alert_store(settings_of(options))
    try:
        with unbuffered_stdin() if file == "-" else open(file, "rb", buffering=0) as opened:  # noqa: PTH123, ASYNC230 - nothing else runs
            new, known = await store.add(alerts_in(opened, AlertQuery()))
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    if not new + known:
        raise UsageError(f"no alert in {file}", hint="It must be Falco's log: JSON lines, or its lines of text.")
    return new, known


@asynccontextmanager
async def _opened(options: Globals, how: dict[str, Any]) -> AsyncIterator[AlertSource]:
    from aegis.wiring.alerts import alert_source

    name = _source(how)
    stdin = unbuffered_stdin() if name == "-" else None
    async with alert_source(settings_of(options), name, as_user=options.as_user, stdin=stdin) as source:
        yield source


def unbuffered_stdin() -> BinaryIO:
    """Unbuffered, so that a line is there as soon as it was written."""
    return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)


def _source(how: dict[str, Any]) -> str:
    if how["file"] and how["source"] != "store":
        raise UsageError("a file and a --source are two sources", hint="Give one of them.")
    return str(how["file"] or how["source"])


def _query(options: Globals, how: dict[str, Any]) -> AlertQuery:
    from aegis.falco.priority import Priority
    from aegis.falco.query import AlertQuery

    priority = Priority.parse(how["priority"]) if how["priority"] else None
    if how["priority"] and priority is None:
        known = ", ".join(one.name.lower() for one in Priority)
        raise UsageError(f"{how['priority']!r} is no priority", hint=f"Priorities are {known}.")
    now = datetime.now(UTC)
    since = moment("--since", how["since"], now) if how["since"] else None
    return AlertQuery(
        namespace="" if options.all_namespaces else options.namespace,
        rule=how["rule"],
        priority=priority,
        since=now - _USUAL if since is None and how["source"] in _REMOTE else since,
        until=moment("--until", how["until"], now) if how["until"] else None,
    )


# ── as it is shown ───────────────────────────────────────────────────────────────────────────────────────────────────


def _note(options: Globals, batch: AlertBatch) -> None:
    if not options.quiet:
        for note in batch.notes:
            click.echo(f"note: {note}", err=True)


def _item(alert: Alert) -> JsonObject:
    from aegis.falco.document import to_document
    from aegis.falco.identity import identity

    return {"id": identity(alert), **to_document(alert)}


def _row(alert: Alert) -> Sequence[object]:
    rule = alert.rule or alert.message
    return (
        f"{alert.time:%Y-%m-%dT%H:%M:%SZ}" if alert.time else "",
        alert.priority.word,
        alert.text("k8s.ns.name"),
        alert.text("k8s.pod.name"),
        rule if len(rule) <= _WIDEST else rule[: _WIDEST - 1] + "…",
        alert.text("proc.cmdline")[:_WIDEST] or alert.text("proc.name"),
    )


def _line(alert: Alert) -> str:
    return "   ".join(str(value or "-") for value in _row(alert))
