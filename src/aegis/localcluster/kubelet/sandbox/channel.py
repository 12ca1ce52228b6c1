"""The asyncio end of a control socket: requests with answers, and events that come unasked."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
from collections.abc import Callable, Sequence

from aegis.localcluster.kubelet import wire

_RETRY_SECONDS = 0.002


class SandboxError(Exception):
    """A sandbox, or something in it, could not be made; the message says why.

    Attributes:
        number: the errno, where the kernel refused.
    """

    def __init__(self, message: str, number: int | None = None) -> None:
        super().__init__(message)
        self.number = number


class Channel:
    """One control socket. Must be made in the running event loop; `close` ends what lives at the other end."""

    def __init__(self, sock: socket.socket, on_event: Callable[[wire.Message, list[int]], None]) -> None:
        self._sock, self._on_event = sock, on_event
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[tuple[wire.Message, list[int]]]] = {}
        self._loop = asyncio.get_running_loop()
        self.closed = asyncio.Event()
        sock.settimeout(0)
        self._loop.add_reader(sock.fileno(), self._read)

    async def request(self, message: wire.Message, fds: Sequence[int] = ()) -> tuple[wire.Message, list[int]]:
        """Send a request and wait for its answer; descriptors in the answer are the caller's to close.

        Raises:
            SandboxError: refused, or the other end is gone.
        """
        number = next(self._ids)
        future: asyncio.Future[tuple[wire.Message, list[int]]] = self._loop.create_future()
        self._waiting[number] = future
        try:
            await self.post({**message, "id": number}, fds)
            answer, received = await future
        finally:
            self._waiting.pop(number, None)
        if "error" in answer:
            raise SandboxError(answer["error"], answer.get("errno"))
        return answer, received

    async def post(self, message: wire.Message, fds: Sequence[int] = ()) -> None:
        """Send without waiting for an answer.

        Raises:
            SandboxError: the other end is gone.
        """
        while True:
            if self.closed.is_set():
                raise SandboxError("the sandbox is gone")
            try:
                wire.send(self._sock, message, fds)
            except BlockingIOError:
                await asyncio.sleep(_RETRY_SECONDS)
            except OSError as error:
                self.close()
                raise SandboxError("the sandbox is gone") from error
            else:
                return

    def post_soon(self, message: wire.Message) -> None:
        """Send what may be lost: nothing happens when the socket is full or closed."""
        if not self.closed.is_set():
            with contextlib.suppress(OSError):
                wire.send(self._sock, message)

    def close(self) -> None:
        """Close the socket; requests under way fail."""
        if self.closed.is_set():
            return
        self.closed.set()
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(SandboxError("the sandbox is gone"))

    def _read(self) -> None:
        try:
            received = wire.receive(self._sock)
        except BlockingIOError:
            return
        except OSError:
            received = None
        if received is None:
            self.close()
            self._on_event({"event": "closed"}, [])
            return
        message, fds = received
        if "id" not in message:
            self._on_event(message, fds)
            return
        future = self._waiting.get(message["id"])
        if future is not None and not future.done():
            future.set_result((message, fds))
        else:
            for fd in fds:
                os.close(fd)
