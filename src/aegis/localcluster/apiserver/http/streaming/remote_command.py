"""exec and attach: a program's streams as channels of a WebSocket or as streams of SPDY.

Source: the Kubernetes documentation and sources of `k8s.io/kubelet` and `k8s.io/apimachinery`, `remotecommand`: the
protocols `v4.channel.k8s.io` and `v5.channel.k8s.io` (which can close a channel).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from aegis.localcluster.api import Session
from aegis.localcluster.apiserver.http.streaming.carrier import MESSAGE_MAX, Gone, Messages, upgraded
from aegis.localcluster.apiserver.http.streaming.connection import Connection, Stream
from aegis.localcluster.status import ApiError

_V4, _V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"
_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
_NUMBERS = {"stdout": _STDOUT, "stderr": _STDERR}
_STREAMS_SECONDS = 30.0
_OUTPUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which streams a client asked for."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


class _Channels(Protocol):
    """A client's side of a session."""

    async def feed(self, session: Session) -> None:
        """Hand input and sizes to the session until the client goes."""
        ...

    async def send(self, stream: str, data: bytes) -> None:
        """Send output.

        Raises:
            Gone: the client has gone.
        """
        ...

    async def finish(self, status: bytes) -> None:
        """Tell how it ended, and that nothing more comes."""
        ...


def check(request: web.Request) -> None:
    """Refuse a client that could not be answered, before anything is started.

    Raises:
        ApiError: it asks for no upgrade, or only for protocols that are not spoken here.
    """
    if _is_websocket(request):
        header, spoken = "Sec-WebSocket-Protocol", [_V5, _V4]
    elif request.headers.get("Upgrade", "").lower() == "spdy/3.1":
        header, spoken = "X-Stream-Protocol-Version", [_V4]
    else:
        raise ApiError(400, "BadRequest", "unable to upgrade: missing upgrade headers in request")
    offered = [one.strip() for line in request.headers.getall(header, []) for one in line.split(",")]
    if not set(spoken) & set(offered):
        why = f"client supports [{' '.join(offered)}], server accepts [{' '.join(spoken)}]"
        raise ApiError(403, "Forbidden", f"unable to upgrade: unable to negotiate protocol: {why}")


async def serve(request: web.Request, session: Session, wanted: Wanted) -> web.StreamResponse:
    """Connect a client (that `check` has passed) with a session until one of them ends."""
    if _is_websocket(request):
        return await _over_websocket(request, session, wanted)
    return await _over_spdy(request, session, wanted)


async def _over_websocket(request: web.Request, session: Session, wanted: Wanted) -> web.StreamResponse:
    socket = web.WebSocketResponse(protocols=(_V5, _V4), max_msg_size=MESSAGE_MAX)
    await socket.prepare(request)
    channels = _Numbered(socket)
    with contextlib.suppress(Gone):
        await channels.send("stdout" if wanted.stdout else "stderr", b"")
        await _connect(session, channels, wanted)
    await socket.close()
    return socket


async def _over_spdy(request: web.Request, session: Session, wanted: Wanted) -> web.StreamResponse:
    async with upgraded(request, {"X-Stream-Protocol-Version": _V4}) as (response, socket):
        channels = _Named(wanted)
        connection = Connection(socket, channels.opened)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(connection.run())
            served = group.create_task(_once_open(session, channels, wanted))
            await asyncio.wait((running, served), return_when=asyncio.FIRST_COMPLETED)
            await connection.go_away()
            running.cancel()
            served.cancel()
    return response


async def _once_open(session: Session, channels: _Named, wanted: Wanted) -> None:
    with contextlib.suppress(Gone, TimeoutError):
        async with asyncio.timeout(_STREAMS_SECONDS):
            await channels.complete.wait()
        await _connect(session, channels, wanted)


async def _connect(session: Session, channels: _Channels, wanted: Wanted) -> None:
    """Until the program ends, or the client goes.

    Raises:
        Gone: the client has gone.
    """
    shown = {"stdout": wanted.stdout, "stderr": wanted.stderr}
    copies = [_copy(pieces, name, channels) for name, pieces in session.outputs.items() if shown[name]]
    async with _beside(session.ended(), channels.feed(session), *copies) as (ended, fed, *copied):
        await asyncio.wait((ended, fed), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            raise Gone
        if copied:
            # What the program left running may hold its output open: its end is the end all the same.
            await asyncio.wait(copied, timeout=_OUTPUT_SECONDS)
        await channels.finish(json.dumps(_status(ended.result() or 0)).encode())


@contextlib.asynccontextmanager
async def _beside(*work: Coroutine[Any, Any, int | None]) -> AsyncIterator[list[asyncio.Task[int | None]]]:
    """Work that is done beside the body and ends with it; that the client has gone ends only what noticed it."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_quietly(one)) for one in work]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()


async def _quietly(work: Coroutine[Any, Any, int | None]) -> int | None:
    with contextlib.suppress(Gone):
        return await work
    return None


async def _copy(pieces: AsyncIterator[bytes], name: str, channels: _Channels) -> None:
    async for piece in pieces:
        await channels.send(name, piece)


class _Numbered:
    """Channels of a WebSocket: the first byte of a message says whose it is."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket, self._messages = socket, Messages(socket)

    async def feed(self, session: Session) -> None:
        async for message in self._messages.pieces():
            number, data = message[:1], message[1:]
            if number == bytes([_STDIN]):
                await session.write(data)
            elif number == bytes([_RESIZE]):
                _resize(session, data)
            elif number == bytes([_CLOSE]) and data == bytes([_STDIN]):
                session.close_input()

    async def send(self, stream: str, data: bytes) -> None:
        await self._messages.send(bytes([_NUMBERS[stream]]) + data)

    async def finish(self, status: bytes) -> None:
        await self._messages.send(bytes([_ERROR]) + status)


class _Named:
    """Streams of a SPDY connection: a header says whose each is."""

    def __init__(self, wanted: Wanted) -> None:
        asked = {"stdin": wanted.stdin, "stdout": wanted.stdout, "stderr": wanted.stderr, "resize": wanted.tty}
        self._expected = {"error", *(name for name, is_wanted in asked.items() if is_wanted)}
        self._streams: dict[str, Stream] = {}
        self.complete = asyncio.Event()

    def opened(self, stream: Stream) -> None:
        """A stream was opened."""
        self._streams[stream.headers.get("streamtype", "")] = stream
        if self._expected <= self._streams.keys():
            self.complete.set()

    async def feed(self, session: Session) -> None:
        async with asyncio.TaskGroup() as group:
            if "stdin" in self._streams:
                group.create_task(self._feed_input(session))
            if "resize" in self._streams:
                group.create_task(self._feed_sizes(session))
            await asyncio.get_running_loop().create_future()

    async def _feed_input(self, session: Session) -> None:
        async for piece in self._streams["stdin"].pieces():
            await session.write(piece)
        session.close_input()

    async def _feed_sizes(self, session: Session) -> None:
        async for piece in self._streams["resize"].pieces():
            for line in piece.splitlines():
                _resize(session, line)

    async def send(self, stream: str, data: bytes) -> None:
        await self._streams[stream].send(data)

    async def finish(self, status: bytes) -> None:
        await self._streams["error"].send(status)
        for stream in self._streams.values():
            await stream.finish()


def _status(code: int) -> Mapping[str, Any]:
    base = {"metadata": {}, "apiVersion": "v1", "kind": "Status"}
    if code == 0:
        return {**base, "status": "Success"}
    return {
        **base,
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _resize(session: Session, data: bytes) -> None:
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        size = json.loads(data)
        session.resize(int(size["Width"]), int(size["Height"]))


def _is_websocket(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"
