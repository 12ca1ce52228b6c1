"""Asking: an HTTP request, a connection, or a program in a container, with a time-out and the kubelet's words."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable
from socket import socket

from aegis.localcluster.kubelet.pods.probes import BODY_MAX, Action, Answer, Exec, Http, Tcp

Dial = Callable[[str, int], Awaitable[socket]]
"""Open a connection from the node; raises OSError."""

RunProgram = Callable[[tuple[str, ...], float], Awaitable[tuple[int, str]]]
"""Run a program in the container for at most so many seconds: its exit code and output; raises TimeoutError."""

_USER_AGENT = "kube-probe/1.33"
_OK = range(200, 400)
_HEADERS_MAX = 64 * 1024


async def ask(action: Action, timeout: float, dial: Dial, run: RunProgram, *, nominal: float) -> Answer:  # noqa: ASYNC109
    """Carry out one probe.

    Args:
        action: what to do.
        timeout: wall-clock seconds that it may take.
        dial: how the node reaches a pod.
        run: how a program is run in the container.
        nominal: the seconds of the time-out as the pod states them, for messages.
    """
    match action:
        case Http():
            return await _http(action, timeout, dial)
        case Tcp():
            return await _tcp(action, timeout, dial)
        case Exec():
            return await _program(action, timeout, run, nominal)
        case _:
            return Answer(ok=False, message=action.what)


async def _http(action: Http, timeout: float, dial: Dial) -> Answer:  # noqa: ASYNC109
    try:
        async with asyncio.timeout(timeout):
            status, body = await _get(action, dial)
    except TimeoutError:
        why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return Answer(ok=False, message=f'Get "{action.url}": {why}')
    except OSError as error:
        return Answer(ok=False, message=f'Get "{action.url}": {_dial_words(action.host, action.port, error)}')
    except (EOFError, ValueError) as error:
        words = "EOF" if isinstance(error, EOFError) else f"net/http: HTTP/1.x transport connection broken: {error}"
        return Answer(ok=False, message=f'Get "{action.url}": {words}')
    if status in _OK:
        return Answer(ok=True, message=body, answered=True)
    return Answer(ok=False, message=f"HTTP probe failed with statuscode: {status}", answered=True)


async def _get(action: Http, dial: Dial) -> tuple[int, str]:
    connection = await dial(action.host, action.port)
    context = None
    if action.scheme == "HTTPS":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(
        sock=connection, ssl=context, server_hostname=action.host if context else None, limit=_HEADERS_MAX
    )
    try:
        headers = {"Host": f"{action.host}:{action.port}", "User-Agent": _USER_AGENT, "Accept": "*/*"}
        headers |= {**dict(action.headers), "Connection": "close"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"GET {action.path} HTTP/1.1\r\n{lines}\r\n".encode())
        first = (await reader.readline()).decode("latin-1")
        if not first:
            raise EOFError
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/"):
            raise ValueError(f'malformed HTTP response "{first.strip()[:80]}"')
        while (await reader.readline()).strip():
            pass
        body = await reader.read(BODY_MAX)
        return int(rest.split()[0]), body.decode("utf-8", "replace")
    finally:
        writer.close()


async def _tcp(action: Tcp, timeout: float, dial: Dial) -> Answer:  # noqa: ASYNC109
    try:
        async with asyncio.timeout(timeout):
            (await dial(action.host, action.port)).close()
    except TimeoutError:
        return Answer(ok=False, message=f"dial tcp {action.host}:{action.port}: i/o timeout")
    except OSError as error:
        return Answer(ok=False, message=_dial_words(action.host, action.port, error))
    return Answer(ok=True)


async def _program(action: Exec, timeout: float, run: RunProgram, nominal: float) -> Answer:  # noqa: ASYNC109
    try:
        code, output = await run(action.command, timeout)
    except TimeoutError:
        words = f'command timed out: "{" ".join(action.command)}" timed out after {nominal:g}s'
        return Answer(ok=False, message=words)
    return Answer(ok=code == 0, message=output[:BODY_MAX])


def _dial_words(host: str, port: int, error: OSError) -> str:
    if isinstance(error, ConnectionResetError):
        return f"read tcp {host}:{port}: read: connection reset by peer"
    # asyncio puts words of its own into the error; the system's are the ones that people know.
    reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
    return f"dial tcp {host}:{port}: connect: {reason}"
