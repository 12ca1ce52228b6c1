"""What carries the bytes of a long connection: the upgraded socket itself, or the messages of a WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from aiohttp import WSMsgType, web

_READ = 64 * 1024
_FLUSH_SECONDS = 2.0
MESSAGE_MAX = 1 << 20
"""Bytes of one WebSocket message."""


class Gone(Exception):
    """The other end has closed the connection, or lost it."""


class Carrier(Protocol):
    """Bytes in both directions."""

    def pieces(self) -> AsyncIterator[bytes]:
        """What comes, until the other end closes.

        Raises:
            Gone: the connection was lost.
        """
        ...

    async def send(self, payload: bytes) -> None:
        """Send bytes; waits while the other end does not read.

        Raises:
            Gone: the connection has ended.
        """
        ...


class Socket:
    """A connection that was HTTP until it was upgraded."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            while piece := await self._reader.read(_READ):
                yield piece
        except OSError as error:
            raise Gone from error

    async def send(self, payload: bytes) -> None:
        if self._writer.is_closing():
            raise Gone
        try:
            self._writer.write(payload)
            await self._writer.drain()
        except OSError as error:
            raise Gone from error


class Messages:
    """The binary messages of a WebSocket, one after the other."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def pieces(self) -> AsyncIterator[bytes]:
        async for message in self._socket:
            if message.type is WSMsgType.BINARY:
                yield message.data
            elif message.type is WSMsgType.TEXT:
                yield message.data.encode()

    async def send(self, payload: bytes) -> None:
        try:
            await self._socket.send_bytes(payload)
        except (OSError, RuntimeError) as error:  # RuntimeError is what aiohttp raises for a closed one
            raise Gone from error


@contextlib.asynccontextmanager
async def upgraded(
    request: web.Request, headers: Mapping[str, str]
) -> AsyncIterator[tuple[web.StreamResponse, Socket]]:
    """Answer 101 and take the socket over from HTTP, which gets it back, closed, at the end.

    Raises:
        Gone: the client has gone already.
    """
    response = web.StreamResponse(status=101, headers={"Connection": "Upgrade", "Upgrade": "SPDY/3.1", **headers})
    await response.prepare(request)
    transport = request.transport
    if transport is None:
        raise Gone
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    try:
        yield response, Socket(reader, writer)
    finally:
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await writer.drain()
        except (OSError, TimeoutError):
            transport.abort()
        # The HTTP side keeps the books of connections: it has to hear of this one's end.
        transport.set_protocol(request.protocol)
        transport.close()
