"""Running a tool: an argument list, a clean environment, bounded output, a deadline, and nothing left behind.

Between AEGIS and the tool stands `aegis.drivers.guardian`, which ends the tool with all that it began, even where AEGIS
itself is killed or a child has left the process group.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path
from typing import IO, NoReturn

from aegis.drivers import guardian
from aegis.drivers.shielding import shielded
from aegis.errors import TimedOut, Unavailable

OUTPUT_BYTES = 64 << 20
STDERR_BYTES = 64 << 10
_PATIENCE_SECONDS = guardian.GRACE_SECONDS + 8.0
_IN_MEMORY = 1 << 20
_BLOCK = 1 << 18
_FULL = frozenset({ENOSPC, EDQUOT, EFBIG})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a tool ended.

    Attributes:
        status: its exit status; negative: the signal that ended it.
        stdout: what it wrote, as far as it was kept.
        stderr: the same; where it was too much, its beginning and its end.
        truncated: whether more was written to stdout than was kept: then it is no whole report.
        seconds: how long it ran.
    """

    status: int
    stdout: bytes
    stderr: bytes
    truncated: bool
    seconds: float = 0.0

    @property
    def said(self) -> str:
        """What it said to people: stderr, or where that is empty stdout; without control characters, 2,000 at most."""
        return shown(self.stderr) or shown(self.stdout)


async def run(
    argv: Sequence[str],
    *,
    timeout: float,  # noqa: ASYNC109  (the owner of the process owns its deadline: it has to kill the process group)
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    limit_bytes: int = OUTPUT_BYTES,
) -> Finished:
    """Run a program to its end; nothing that it began is alive when this returns or raises.

    Args:
        argv: the program and its arguments; no shell reads them.
        timeout: seconds until it is ended (TERM, then KILL).
        env: its whole environment.
        cwd: its working directory; an empty temporary one if None.
        stdin: what it reads; nothing more.
        limit_bytes: how much of stdout to keep, in a temporary file while it runs; the rest is read and dropped.

    Raises:
        TimedOut: if the time is up.
        Unavailable: if there is no such program, or no space for what it writes.
    """
    started = time.monotonic()
    try:
        with _files(cwd) as (where, spool):
            child = await _start(argv, env, where)
            done = await _finish(child, spool, seconds=timeout, stdin=stdin, limit=limit_bytes)
    except TimeoutError as error:
        raise TimedOut(f"{argv[0]} did not end within {timeout:g} s") from error
    except (OSError, ValueError) as error:
        _explain(argv[0], error)
    return replace(done, seconds=time.monotonic() - started)


def shown(data: bytes | str, *, limit: int = 2000) -> str:
    """Text of a tool as it may be shown: without escape sequences and control characters, and not without end."""
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    plain = _CONTROLS.sub("", _ESCAPES.sub("", text)).strip()
    return plain if len(plain) <= limit else f"{plain[: limit // 2]} … {plain[-limit // 2 :]}"


_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]"
)
"""Source: ECMA-48, 5.3 to 5.6: CSI and OSC sequences, strings, and single escapes."""
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


async def _finish(child: _Child, spool: IO[bytes], *, seconds: float, stdin: bytes, limit: int) -> Finished:
    try:
        async with asyncio.timeout(seconds):
            return await child.communicate(stdin, spool, limit)
    finally:
        await shielded(child.end())


def _explain(program: str, error: OSError | ValueError) -> NoReturn:
    """Say what the system's error means here.

    Raises:
        Unavailable: always.
    """
    if isinstance(error, OSError) and error.errno in _FULL:
        raise Unavailable(
            f"no space left for what {program} writes: {error}", hint=f"Free space in {tempfile.gettempdir()}."
        ) from error
    raise Unavailable(f"cannot run {program}: {error}", hint=f"Install {program} or correct its path.") from error


@contextlib.contextmanager
def _files(cwd: Path | None) -> Iterator[tuple[str, IO[bytes]]]:
    """Where it runs, and where its output is kept meanwhile: in memory while it is little."""
    with contextlib.ExitStack() as stack:
        where = str(cwd) if cwd else stack.enter_context(tempfile.TemporaryDirectory(prefix="aegis-"))
        yield where, stack.enter_context(tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))


class _Protocol(asyncio.subprocess.SubprocessStreamProtocol):
    """Tells when the guardian itself has ended; `Process.wait` waits for its pipes too, which others may hold."""

    def __init__(self) -> None:
        super().__init__(limit=_BLOCK, loop=asyncio.get_running_loop())
        self.ended = asyncio.Event()

    def process_exited(self) -> None:
        """Called by the event loop."""
        super().process_exited()
        self.ended.set()


@dataclass(slots=True)
class _Child:
    """The guardian, and what it says of the tool."""

    process: asyncio.subprocess.Process
    transport: asyncio.SubprocessTransport
    ended: asyncio.Event
    reports: asyncio.StreamReader
    control: asyncio.StreamWriter
    tool: int = 0

    async def communicate(self, stdin: bytes, spool: IO[bytes], limit: int) -> Finished:
        """Feed it and hear it to its end.

        Raises:
            OSError: if it could not be run, or its output not be kept.
        """
        process = self.process
        assert process.stdin  # noqa: S101  (opened as pipes below)
        assert process.stdout  # noqa: S101
        assert process.stderr  # noqa: S101
        out, err = _Kept(spool, limit), _Ends(STDERR_BYTES)
        async with asyncio.TaskGroup() as group:
            group.create_task(_feed(process.stdin, stdin))
            group.create_task(_drain(process.stdout, out))
            group.create_task(_drain(process.stderr, err))
            status = await self._status()
            await self.ended.wait()
        if isinstance(status, OSError):
            raise status
        return Finished(status=status, stdout=out.whole(), stderr=err.whole(), truncated=out.cut)

    async def _status(self) -> int | OSError:
        while line := await self.reports.readline():
            word, _, rest = line.decode(errors="replace").strip().partition(" ")
            number, _, words = rest.partition(" ")
            if word == "P":
                self.tool = int(number)
            elif word == "X":
                return OSError(int(number), words)
            elif word == "S":
                return int(number)
        _kill_group(self.tool)  # the guardian was killed, and the tool with it, but not the tool's children
        return -signal.SIGKILL

    async def end(self) -> None:
        """End it where it has not ended: the guardian does when the control closes; if it does not, it is killed too."""
        self.control.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self.ended.wait()
        if not self.ended.is_set() or self.transport.get_returncode() != 0:
            for leader in (self.process.pid, self.tool):
                _kill_group(leader)
        await self.ended.wait()
        self.transport.close()  # what nobody could find may still hold the pipes


async def _start(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> _Child:
    """Start the program; if that is cancelled, it is ended first, with its group, and not left half known.

    Raises:
        CancelledError: the caller was cancelled meanwhile.
    """
    starting = asyncio.ensure_future(_spawn(argv, env, cwd))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError, ValueError):
            await shielded((await starting).end())
        raise


async def _spawn(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> _Child:
    loop = asyncio.get_running_loop()
    pipe = asyncio.subprocess.PIPE
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            guard = [sys.executable, "-I", "-S", str(Path(guardian.__file__)), str(theirs.fileno()), *argv]
            transport, protocol = await loop.subprocess_exec(
                _Protocol,
                *guard,
                env=dict(env),
                cwd=cwd,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
            )
            reports, control = await asyncio.open_connection(sock=ours)
        except BaseException:
            ours.close()
            raise
    return _Child(asyncio.subprocess.Process(transport, protocol, loop), transport, protocol.ended, reports, control)


async def _feed(stream: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(data)
        await stream.drain()
    stream.close()


async def _drain(stream: asyncio.StreamReader, into: _Kept | _Ends) -> None:
    while chunk := await stream.read(_BLOCK):
        into.take(chunk)


class _Kept:
    """The beginning of a stream, in a file; what is beyond is dropped, and that is known."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file = file
        self._room = limit
        self._failed: OSError | None = None
        self.cut = False

    def take(self, chunk: bytes) -> None:
        self.cut = self.cut or len(chunk) > self._room
        if self._room and self._failed is None:
            try:
                self._file.write(chunk[: self._room])
            except OSError as error:
                self._failed = error
        self._room = max(0, self._room - len(chunk))

    def whole(self) -> bytes:
        """What was kept.

        Raises:
            OSError: if it could not be kept.
        """
        if self._failed is not None:
            raise self._failed
        self._file.seek(0)
        return self._file.read()


class _Ends:
    """The beginning and the end of a stream: a program that panics says why first, one that fails says it last."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._first = bytearray()
        self._last = bytearray()
        self._between = False

    def take(self, chunk: bytes) -> None:
        room = self._half - len(self._first)
        self._first += chunk[:room]
        self._last += chunk[room:]
        if len(self._last) > self._half:
            self._between = True
            del self._last[: -self._half]

    def whole(self) -> bytes:
        return bytes(self._first + (b"\n...\n" if self._between else b"") + self._last)


def _kill_group(leader: int) -> None:
    if leader > 0:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
