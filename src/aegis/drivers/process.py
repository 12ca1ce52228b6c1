"""Running a tool: an argument list, a clean environment, bounded output, a deadline, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from aegis.errors import TimedOut, Unavailable

_GRACE_SECONDS = 2.0
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a tool ended.

    Attributes:
        status: its exit status; negative: the signal that ended it.
        stdout: what it wrote, as far as it was kept.
        stderr: the same.
        truncated: whether more was written than was kept.
    """

    status: int
    stdout: bytes
    stderr: bytes
    truncated: bool


async def run(
    argv: Sequence[str],
    *,
    timeout: float,  # noqa: ASYNC109  (the owner of the process owns its deadline: it has to kill the process group)
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    limit_bytes: int = 16 << 20,
) -> Finished:
    """Run a program to its end, in a session of its own; its whole process group is dead when this returns or raises.

    Args:
        argv: the program and its arguments; no shell reads them.
        timeout: seconds until it is ended (TERM, then KILL).
        env: its whole environment.
        cwd: its working directory; an empty temporary one if None.
        stdin: what it reads; nothing more.
        limit_bytes: how much of each output stream to keep; the rest is read and dropped.

    Raises:
        TimedOut: if the time is up.
        Unavailable: if there is no such program.
    """
    with contextlib.ExitStack() as stack:
        where = str(cwd) if cwd else stack.enter_context(tempfile.TemporaryDirectory(prefix="aegis-"))
        try:
            child = await _start(argv, env, where)
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"cannot run {argv[0]}: {error}", hint=f"Install {argv[0]} or correct its path."
            ) from error
        try:
            async with asyncio.timeout(timeout):
                return await _communicate(child, stdin, limit_bytes)
        except TimeoutError as error:
            raise TimedOut(f"{argv[0]} did not end within {timeout:g} s") from error
        finally:
            await asyncio.shield(_end_group(child))


class _Protocol(asyncio.subprocess.SubprocessStreamProtocol):
    """Tells when the program itself has ended; `Process.wait` waits for its pipes too, which its children may hold."""

    def __init__(self) -> None:
        super().__init__(limit=_BLOCK, loop=asyncio.get_running_loop())
        self.ended = asyncio.Event()

    def process_exited(self) -> None:
        """Called by the event loop."""
        super().process_exited()
        self.ended.set()


class _Child(NamedTuple):
    process: asyncio.subprocess.Process
    transport: asyncio.SubprocessTransport
    ended: asyncio.Event


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
            await _end_group(await starting)
        raise


async def _spawn(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> _Child:
    loop = asyncio.get_running_loop()
    pipe = asyncio.subprocess.PIPE
    transport, protocol = await loop.subprocess_exec(
        _Protocol, *argv, env=dict(env), cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    )
    return _Child(asyncio.subprocess.Process(transport, protocol, loop), transport, protocol.ended)


async def _communicate(child: _Child, stdin: bytes, limit: int) -> Finished:
    process = child.process
    assert process.stdin  # noqa: S101  (opened as pipes above)
    assert process.stdout  # noqa: S101
    assert process.stderr  # noqa: S101
    async with asyncio.TaskGroup() as group:
        group.create_task(_feed(process.stdin, stdin))
        out = group.create_task(_read(process.stdout, limit))
        err = group.create_task(_read(process.stderr, limit))
        await child.ended.wait()
        _signal_group(process.pid, signal.SIGKILL)  # children that outlive it would hold the pipes open
        status = await process.wait()
    (stdout, cut_out), (stderr, cut_err) = out.result(), err.result()
    return Finished(status=status, stdout=stdout, stderr=stderr, truncated=cut_out or cut_err)


async def _feed(stream: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(data)
        await stream.drain()
    stream.close()


async def _read(stream: asyncio.StreamReader, limit: int) -> tuple[bytes, bool]:
    kept = bytearray()
    truncated = False
    while chunk := await stream.read(_BLOCK):
        room = limit - len(kept)
        kept += chunk[:room]
        truncated = truncated or len(chunk) > room
    return bytes(kept), truncated


async def _end_group(child: _Child) -> None:
    """End what is left of the process group: the leader's children too, even where the leader has gone."""
    if not child.ended.is_set():
        _signal_group(child.process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_SECONDS):
                await child.ended.wait()
    _signal_group(child.process.pid, signal.SIGKILL)
    await child.ended.wait()
    child.transport.close()  # what left the group may still hold the pipes


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
