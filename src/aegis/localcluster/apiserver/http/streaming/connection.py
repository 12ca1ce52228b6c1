"""One SPDY/3.1 connection with its streams, over whatever carries its bytes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping

from aegis.localcluster.apiserver.http.streaming import spdy
from aegis.localcluster.apiserver.http.streaming.carrier import Carrier, Gone

_STREAMS_MAX = 256
_PIECES_MAX = 64


class Stream:
    """One stream that the other end opened.

    Attributes:
        headers: what it is for, by lower-case name.
    """

    def __init__(self, connection: Connection, number: int, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self._connection, self._number = connection, number
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue(_PIECES_MAX)
        self._sent_all = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """What comes, until the other end has sent all."""
        while piece := await self._pieces.get():
            yield piece

    async def send(self, payload: bytes) -> None:
        """Send bytes.

        Raises:
            Gone: the connection has ended.
        """
        for start in range(0, len(payload), spdy.DATA_MAX):
            await self._connection.send(spdy.data(self._number, payload[start : start + spdy.DATA_MAX]))

    async def finish(self) -> None:
        """Say that all was sent; a connection that has ended knows."""
        if not self._sent_all:
            self._sent_all = True
            with contextlib.suppress(Gone):
                await self._connection.send(spdy.data(self._number, b"", fin=True))

    async def take(self, payload: bytes, *, fin: bool) -> None:
        """Note what came; waits while too much of it is unread."""
        if payload:
            await self._pieces.put(payload)
        if fin:
            await self._pieces.put(b"")


class Connection:
    """Answers frames until the other end goes.

    Args:
        carrier: what the bytes travel on.
        opened: told of each new stream.
    """

    def __init__(self, carrier: Carrier, opened: Callable[[Stream], None]) -> None:
        self._carrier, self._opened = carrier, opened
        self._reader, self._writer = spdy.Reader(), spdy.Writer()
        self._streams: dict[int, Stream] = {}
        self._last = 0

    async def run(self) -> None:
        """Until the other end goes, or speaks something else."""
        with contextlib.suppress(Gone, spdy.ProtocolError):
            async for piece in self._carrier.pieces():
                for frame in self._reader.feed(piece):
                    await self._take(frame)
        for stream in self._streams.values():
            await stream.take(b"", fin=True)

    async def send(self, frame: bytes) -> None:
        """Send a frame.

        Raises:
            Gone: the connection has ended.
        """
        await self._carrier.send(frame)

    async def go_away(self) -> None:
        """Say that no more streams are taken."""
        with contextlib.suppress(Gone):
            await self.send(spdy.go_away(self._last))

    async def _take(self, frame: spdy.Frame) -> None:
        match frame:
            case spdy.Opened():
                await self._open(frame)
            case spdy.Data() if frame.stream in self._streams:
                await self._streams[frame.stream].take(frame.data, fin=frame.fin)
                if frame.fin:
                    del self._streams[frame.stream]
            case spdy.Reset() if frame.stream in self._streams:
                await self._streams.pop(frame.stream).take(b"", fin=True)
            case spdy.Ping():
                await self.send(spdy.pong(frame.number))
            case _:
                pass

    async def _open(self, frame: spdy.Opened) -> None:
        if frame.stream <= self._last or len(self._streams) >= _STREAMS_MAX:
            await self.send(spdy.reset(frame.stream))
            return
        self._last = frame.stream
        stream = Stream(self, frame.stream, frame.headers)
        if frame.fin:
            await stream.take(b"", fin=True)
        else:
            self._streams[frame.stream] = stream
        await self.send(self._writer.reply(frame.stream))
        self._opened(stream)
