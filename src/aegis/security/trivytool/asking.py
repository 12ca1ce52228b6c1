"""Running trivy: from a command line to a report, or to the reason why there is none."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from aegis.drivers import process
from aegis.errors import TimedOut, Unavailable
from aegis.model.refs import JsonObject
from aegis.model.scan import ScanStatus
from aegis.security.desk import Desk
from aegis.security.trivytool import canary, command
from aegis.security.trivytool.command import Bench
from aegis.security.trivytool.failures import explain, last_words
from aegis.security.trivytool.report import Report, System, Unusable, read_object, read_report

_Read = TypeVar("_Read")

_VERSION_SECONDS = 20.0
_WORDS = 1 << 16
_SALT = secrets.token_hex(32)


class Failed(Exception):
    """A scan came to nothing.

    Attributes:
        status: how it ended.
        reason: why, in one sentence.
    """

    def __init__(self, status: ScanStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A report and what it was read from."""

    report: Report
    digest: str


@asynccontextmanager
async def bench(desk: Desk, program: Path) -> AsyncIterator[Bench]:
    """A place to run trivy in: an empty folder, which is removed afterwards.

    Raises:
        OSError: if there is no room for one.
    """
    home = Path.home()
    with tempfile.TemporaryDirectory(prefix="aegis-trivy-", ignore_cleanup_errors=True) as scratch:
        yield Bench(
            program=program,
            scratch=Path(scratch),
            cache=desk.rules.trivy_cache or home / ".cache" / "trivy",
            home=home,
            path=desk.path,
            server=desk.rules.trivy_server,
            token=desk.rules.trivy_token,
            salt=_salt(desk.cache),
            seconds=desk.rules.seconds("trivy"),
        )


def _salt(cache: Path | None) -> str:
    """The salt that this installation keeps; where nothing is kept, one for as long as this program runs."""
    if cache is None:
        return _SALT
    file = cache / "salt"
    with contextlib.suppress(OSError):
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(32))
    try:
        return file.read_text(encoding="ascii") or _SALT
    except OSError:
        return _SALT


async def version(at: Bench) -> JsonObject:
    """What `trivy version` says, as JSON.

    Raises:
        Failed: if it says nothing that can be read.
    """
    output = await _run(command.version(at), at, seconds=min(_VERSION_SECONDS, at.seconds), home=False)
    return _understood(read_object, output)


async def ask(argv: Sequence[str], at: Bench, *, home: bool = False) -> Answer:
    """Run a scan.

    Args:
        argv: of `aegis.security.trivytool.command`.
        at: where.
        home: whether the run may see the home folder.

    Raises:
        Failed: if no report came of it.
    """
    output = await _run(argv, at, seconds=at.seconds, home=home)
    return Answer(report=_understood(read_report, output), digest=f"sha256:{hashlib.sha256(output.stdout).hexdigest()}")


async def sing(at: Bench, system: System | None) -> Report:
    """What the canary gives with the database in use.

    Raises:
        Failed: if no report came of it.
    """
    file = at.scratch / "canary.cdx.json"
    file.write_text(json.dumps(canary.bill(system)), encoding="utf-8")
    return (await ask(command.bill(at, file), at)).report


async def _run(argv: Sequence[str], at: Bench, *, seconds: float, home: bool) -> process.Finished:
    """Run trivy to its end.

    Raises:
        Failed: if it failed, or wrote more than is kept.
    """
    empty = at.scratch / "empty"
    empty.mkdir(exist_ok=True)
    try:
        ended = await process.run(argv, timeout=seconds, env=at.env(home=home), cwd=empty)
    except TimedOut as error:
        reason = f"trivy did not end within {seconds:g} s: raise security.trivy_timeout_seconds"
        raise Failed(ScanStatus.TIMEOUT, reason) from error
    except Unavailable as error:
        raise Failed(ScanStatus.ERROR, f"trivy could not be run: {error.message}") from error
    if ended.status != 0:
        raise Failed(*_why(ended))
    if ended.truncated:
        raise Failed(ScanStatus.ERROR, "trivy wrote more than is kept, so its report was not read")
    return ended


def _why(ended: process.Finished) -> tuple[ScanStatus, str]:
    words = _words(ended)
    known = explain(words)
    how = f"was ended by signal {-ended.status}" if ended.status < 0 else f"ended with status {ended.status}"
    if known:
        return known
    said = last_words(words)
    return ScanStatus.ERROR, f"trivy {how}: {said}" if said else f"trivy {how}, and said nothing"


def _words(ended: process.Finished) -> str:
    return process.shown(ended.stderr, limit=_WORDS)


def _understood(reader: Callable[[bytes], _Read], ended: process.Finished) -> _Read:
    """What a reader makes of it.

    Raises:
        Failed: if it is nothing.
    """
    try:
        return reader(ended.stdout)
    except Unusable as error:
        known = explain(_words(ended))
        if known:
            raise Failed(*known) from error
        raise Failed(ScanStatus.ERROR, f"trivy gave no answer that can be used: {error}") from error
