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

from aegis.errors import Unavailable

_GRACE_SECONDS = 2.0


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
        Unavailable: if there is no such program or the time is up.
    """
    with contextlib.ExitStack() as stack:
        where = str(cwd) if cwd else stack.enter_context(tempfile.TemporaryDirectory(prefix="aegis-"))
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                env=dict(env),
                cwd=where,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"cannot run {argv[0]}: {error}", hint=f"Install {argv[0]} or correct its path."
            ) from error
        try:
            async with asyncio.timeout(timeout):
                return await _communicate(process, stdin, limit_bytes)
        except TimeoutError as error:
            raise Unavailable(f"{argv[0]} did not end within {timeout:g} s") from error
        finally:
            await asyncio.shield(_end_group(process))


async def _communicate(process: asyncio.subprocess.Process, stdin: bytes, limit: int) -> Finished:
    assert process.stdin  # noqa: S101  (opened as pipes above)
    assert process.stdout  # noqa: S101
    assert process.stderr  # noqa: S101
    async with asyncio.TaskGroup() as group:
        group.create_task(_feed(process.stdin, stdin))
        out = group.create_task(_read(process.stdout, limit))
        err = group.create_task(_read(process.stderr, limit))
        status = await process.wait()
        _signal_group(process.pid, signal.SIGKILL)  # children that outlive it would hold the pipes open
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
    while chunk := await stream.read(65536):
        room = limit - len(kept)
        kept += chunk[:room]
        truncated = truncated or len(chunk) > room
    return bytes(kept), truncated


async def _end_group(process: asyncio.subprocess.Process) -> None:
    """End what is left of the process group: the leader's children too, even where the leader has gone."""
    if process.returncode is None:
        _signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_SECONDS):
                await process.wait()
    _signal_group(process.pid, signal.SIGKILL)
    await process.wait()


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)
