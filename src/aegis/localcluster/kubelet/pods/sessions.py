"""Somebody's hold on a program of a container: exec and attach, with pipes or a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import AsyncIterator, Mapping
from typing import Literal

from aegis.localcluster.kubelet.logs import LogFile
from aegis.localcluster.kubelet.sandbox.channel import SandboxError
from aegis.localcluster.kubelet.sandbox.client import Exit, Sandbox
from aegis.localcluster.kubelet.sandbox.launch import Launch

_READ = 32 * 1024
_SIZE_MAX = 10_000

Outputs = Mapping[Literal["stdout", "stderr"], AsyncIterator[bytes]]


class Input:
    """The writing end of a program's standard input; a descriptor of its own, closed with it."""

    def __init__(self, writer: asyncio.StreamWriter | None) -> None:
        self._writer = writer

    @classmethod
    async def of(cls, fd: int | None) -> Input:
        """Over a pipe or a terminal; None is an input that nobody reads."""
        if fd is None:
            return cls(None)
        loop = asyncio.get_running_loop()
        protocol = asyncio.streams.FlowControlMixin(loop=loop)
        transport, _ = await loop.connect_write_pipe(lambda: protocol, os.fdopen(fd, "wb", buffering=0))
        return cls(asyncio.StreamWriter(transport, protocol, None, loop))

    async def write(self, data: bytes) -> None:
        if self._writer is not None and not self._writer.is_closing():
            with contextlib.suppress(OSError):  # it reads no more
                self._writer.write(data)
                await self._writer.drain()

    def close(self) -> None:
        """There is no more input."""
        if self._writer is not None:
            self._writer.close()

    def abort(self) -> None:
        """Close it, although a part of the input was never read."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.transport.abort()


class Attached:
    """A hold on a container's own program."""

    def __init__(self, log: LogFile, stdin: Input, terminal: int | None, end: asyncio.Future[Exit]) -> None:
        """`terminal` is the kubelet's end of its terminal, not this session's to close."""
        self._log, self._input, self._terminal, self._end = log, stdin, terminal, end
        self._taps = {"stdout": log.tap("stdout"), "stderr": log.tap("stderr")}
        self.outputs: Outputs = {"stdout": self._taps["stdout"].pieces(), "stderr": self._taps["stderr"].pieces()}

    async def write(self, data: bytes) -> None:
        await self._input.write(data)

    def close_input(self) -> None:
        if self._terminal is None:
            self._input.close()

    def resize(self, columns: int, rows: int) -> None:
        if self._terminal is not None and not self._end.done():
            _resize(self._terminal, columns, rows)

    async def ended(self) -> int:
        return (await asyncio.shield(self._end)).code

    async def close(self) -> None:
        self._input.abort()
        for tap in self._taps.values():
            self._log.untap(tap)


class Started:
    """A program that was started for somebody, and ends with the session."""

    def __init__(self, sandbox: Sandbox, key: str) -> None:
        self._sandbox, self._key = sandbox, key
        self._input = Input(None)
        self._terminal: int | None = None
        self._readers: list[asyncio.ReadTransport] = []
        self._end: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.outputs: Outputs = {}

    @classmethod
    async def start(cls, sandbox: Sandbox, launch: Launch, *, stdin: bool) -> Started:
        """Start the program.

        Raises:
            SandboxError: it does not run; the message is a container runtime's.
        """
        session = cls(sandbox, launch.key)
        ours, theirs = _terminal() if launch.tty else _pipes()
        try:
            session._end = await sandbox.start(launch, theirs)
        except BaseException:
            for fd in ours:
                os.close(fd)
            raise
        finally:
            for fd in set(theirs):
                os.close(fd)
        await session._take(ours, tty=launch.tty, stdin=stdin)
        return session

    async def write(self, data: bytes) -> None:
        await self._input.write(data)

    def close_input(self) -> None:
        if self._terminal is None:
            self._input.close()

    def resize(self, columns: int, rows: int) -> None:
        if self._terminal is not None:
            _resize(self._terminal, columns, rows)

    async def ended(self) -> int:
        return (await asyncio.shield(self._end)).code

    async def close(self) -> None:
        if not self._end.done():
            with contextlib.suppress(SandboxError):
                await self._sandbox.signal(self._key, signal.SIGKILL)
        self._input.abort()
        for reader in self._readers:
            reader.close()
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None

    async def _take(self, ours: tuple[int, ...], *, tty: bool, stdin: bool) -> None:
        if tty:
            (master,) = ours
            self._terminal = os.dup(master)
            self._input = await Input.of(os.dup(master))
            self.outputs = {"stdout": await self._reading(master)}
            return
        into, out, errors = ours
        self._input = await Input.of(into)
        if not stdin:
            self._input.close()
        self.outputs = {"stdout": await self._reading(out), "stderr": await self._reading(errors)}

    async def _reading(self, fd: int) -> AsyncIterator[bytes]:
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader, loop=loop), os.fdopen(fd, "rb", buffering=0)
        )
        self._readers.append(transport)
        return _pieces(reader)


async def _pieces(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    with contextlib.suppress(OSError):  # a terminal whose other end is closed answers EIO
        while piece := await reader.read(_READ):
            yield piece


def _pipes() -> tuple[tuple[int, ...], list[int]]:
    pairs = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
    (in_read, in_write), (out_read, out_write), (errors_read, errors_write) = pairs
    return (in_write, out_read, errors_read), [in_read, out_write, errors_write]


def _terminal() -> tuple[tuple[int, ...], list[int]]:
    master, slave = pty.openpty()
    return (master,), [slave] * 3


def _resize(terminal: int, columns: int, rows: int) -> None:
    size = struct.pack("HHHH", min(rows, _SIZE_MAX), min(columns, _SIZE_MAX), 0, 0)
    with contextlib.suppress(OSError):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)
