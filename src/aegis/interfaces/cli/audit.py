"""`aegis audit tail|verify|export`."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from aegis.interfaces.cli.options import Globals, group
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import columns, document, emit, list_document, rendered, stream, write
from aegis.interfaces.cli.session import settings_of
from aegis.model.refs import Json

if TYPE_CHECKING:
    from aegis.model.audit import Fault
    from aegis.stores.audit import FileAuditLog

_HEAD = ("record", "time", "actor", "action", "outcome", "incident", "subject")
_POLL_SECONDS = 0.5
_STREAMING = ("table", "json", "yaml", "jsonl")


@group(
    "audit",
    examples="aegis audit tail --lines 20\naegis audit verify\naegis audit export --incident inc-1a2b3c -o jsonl",
)
def command() -> None:
    """The tamper-evident log: each write to a cluster stands in it before it is made, and again with its outcome."""


@make("tail", outputs=_STREAMING, examples="aegis audit tail\naegis audit tail --lines 50 -w -o jsonl", parent=command)
@click.option("--lines", default=20, type=click.IntRange(min=0), help="How many of the last records (default 20).")
@click.option("-w", "--watch", is_flag=True, help="Go on with each new record, until interrupted or --timeout is over.")
@click.option("--incident", default="", help="Only of this incident.")
@click.pass_obj
def tail(options: Globals, *, lines: int, watch: bool, incident: str) -> None:
    """Print the last records."""
    from collections import deque

    known = deque(_records(options, incident), maxlen=lines)
    _print(options, list(known))
    last = known[-1]["sequence"] if known else 0
    deadline = time.monotonic() + (options.timeout or math.inf)
    while watch and time.monotonic() < deadline:
        time.sleep(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())))
        news = [record for record in _records(options, incident) if record["sequence"] > last]
        for record in news:
            last = record["sequence"]
            stream(options, record, partial(_line, record))


@make("verify", examples="aegis audit verify && echo whole", parent=command)
@click.pass_obj
def verify(options: Globals) -> int:
    """Check the whole chain; ends with 1 at the first record that was changed, removed, reordered or cut off."""
    log = _log(options)
    fault = log.verify()
    count = sum(1 for _ in log.records()) if fault is None else 0
    result = document(
        "AuditVerification",
        whole=fault is None,
        records=count,
        fault={"sequence": fault.sequence, "kind": fault.kind, "message": fault.message} if fault else None,
    )
    emit(options, result, lambda: _whole(fault, count))
    return 1 if fault else 0


@make("export", outputs=_STREAMING, examples="aegis audit export -o jsonl --output-file audit.jsonl", parent=command)
@click.option("--incident", default="", help="Only of this incident.")
@click.pass_obj
def export(options: Globals, incident: str) -> None:
    """Print every record with its hashes."""
    if options.output == "jsonl":
        write(options, "".join(rendered("jsonl", record, str) + "\n" for record in _records(options, incident)))
        return
    _print(options, list(_records(options, incident)))


def _print(options: Globals, records: list[Json]) -> None:
    if options.output == "jsonl":
        write(options, "".join(rendered("jsonl", record, str) + "\n" for record in records))
        return
    emit(
        options,
        list_document("Audit", records),
        lambda: columns(_HEAD, map(_row, records), empty="The log is empty."),
    )


def _records(options: Globals, incident: str) -> Iterator[Json]:
    return _log(options).export(incident=incident)


def _log(options: Globals) -> FileAuditLog:
    from aegis.wiring import Places, audit_log

    return audit_log(Places(folder=settings_of(options).settings.state.folder))


def _row(record: Json) -> Sequence[object]:
    action = f"{record['action']} (dry-run)" if record["detail"].get("dryRun") else record["action"]
    return (
        record["sequence"],
        record["at"],
        record["actor"],
        action,
        record["outcome"],
        record["incident"],
        record["subject"],
    )


def _whole(fault: Fault | None, count: int) -> str:
    return f"broken: {fault.message}" if fault else f"whole: {count} records"


def _line(record: Json) -> str:
    return "   ".join(str(value or "-") for value in _row(record))
