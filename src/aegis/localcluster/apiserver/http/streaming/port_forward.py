"""port-forward: SPDY streams in pairs, over an upgraded socket or within the messages of a WebSocket.

For each connection that the client accepts it opens an error stream and then a data stream, with the same `requestID`.
Source: the sources of `k8s.io/client-go/tools/portforward` and `k8s.io/apimachinery/pkg/util/portforward`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets

from aiohttp import web

from aegis.localcluster.api import PodStreams
from aegis.localcluster.apiserver.http.streaming.carrier import MESSAGE_MAX, Carrier, Gone, Messages, upgraded
from aegis.localcluster.apiserver.http.streaming.connection import Connection, Stream
from aegis.localcluster.status import ApiError

_PROTOCOL = "portforward.k8s.io"
_TUNNEL = f"SPDY/3.1+{_PROTOCOL}"
_READ = 32 * 1024
_PORT_MAX = 65_535


async def serve(request: web.Request, streams: PodStreams, pod_uid: str) -> web.StreamResponse:
    """Forward connections into a pod until the client goes.

    Raises:
        ApiError: the client asks for no upgrade that is known here.
    """
    upgrade = request.headers.get("Upgrade", "").lower()
    if upgrade == "websocket":
        if _TUNNEL not in request.headers.get("Sec-WebSocket-Protocol", ""):
            raise ApiError(403, "Forbidden", f"unable to upgrade: server accepts [{_TUNNEL}]")
        socket = web.WebSocketResponse(protocols=(_TUNNEL,), max_msg_size=MESSAGE_MAX)
        await socket.prepare(request)
        await _forward(Messages(socket), streams, pod_uid)
        await socket.close()
        return socket
    if upgrade != "spdy/3.1":
        raise ApiError(400, "BadRequest", "unable to upgrade: missing upgrade headers in request")
    async with upgraded(request, {"X-Stream-Protocol-Version": _PROTOCOL}) as (response, carrier):
        await _forward(carrier, streams, pod_uid)
    return response


async def _forward(carrier: Carrier, streams: PodStreams, pod_uid: str) -> None:
    async with asyncio.TaskGroup() as group:
        waiting: dict[str, Stream] = {}
        forwarding: set[asyncio.Task[None]] = set()

        def opened(stream: Stream) -> None:
            request = stream.headers.get("requestid", "")
            if stream.headers.get("streamtype") == "error":
                waiting[request] = stream
            elif (errors := waiting.pop(request, None)) is not None:
                task = group.create_task(_forward_one(stream, errors, streams, pod_uid))
                forwarding.add(task)
                task.add_done_callback(forwarding.discard)

        await Connection(carrier, opened).run()
        for task in forwarding:
            task.cancel()


async def _forward_one(stream: Stream, errors: Stream, streams: PodStreams, pod_uid: str) -> None:
    port = stream.headers.get("port", "")
    try:
        made = await _dialled(streams, pod_uid, port)
    except (OSError, LookupError, ValueError) as error:
        with contextlib.suppress(Gone):
            why = getattr(error, "strerror", None) or str(error)
            await errors.send(f"error forwarding port {port} to pod {pod_uid}: {why}".encode())
    else:
        await _both_ways(stream, made)
    await errors.finish()
    await stream.finish()


async def _dialled(streams: PodStreams, pod_uid: str, port: str) -> sockets.socket:
    if not port.isdigit() or not 0 < int(port) <= _PORT_MAX:
        raise ValueError(f"invalid port {port!r}")
    return await streams.dial(pod_uid, int(port))


async def _both_ways(stream: Stream, made: sockets.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=made)
    async with asyncio.TaskGroup() as group:
        inwards = group.create_task(_into_pod(stream, writer))
        await _out_of_pod(stream, reader)
        # The pod has said all: what the client still sends finds nobody.
        inwards.cancel()
    writer.close()


async def _out_of_pod(stream: Stream, reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError, Gone):
        while piece := await reader.read(_READ):
            await stream.send(piece)


async def _into_pod(stream: Stream, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        async for piece in stream.pieces():
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
