"""Probes: what they ask, and what their answers add up to."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from aegis.localcluster.kubelet.pods.prober import ask
from aegis.localcluster.kubelet.pods.probes import (
    Answer,
    Exec,
    Http,
    Probe,
    Tally,
    Tcp,
    Unsupported,
    action_of,
    probes_of,
)

CONTAINER = {"name": "app", "ports": [{"name": "web", "containerPort": 8080}]}


def probe(successes: int = 1, failures: int = 3) -> Probe:
    return Probe(
        kind="readiness", action=Tcp(host="h", port=1), initial_delay=0, period=1, timeout=1,
        successes=successes, failures=failures, grace=None,
    )  # fmt: skip


def verdicts(answers: str, asked: Probe) -> list[bool | None]:
    tally, found = Tally(), []
    for answer in answers:
        tally = tally.with_answer(asked, ok=answer == "+")
        found.append(tally.verdict)
    return found


def test_thresholds_count_answers_in_a_row() -> None:
    assert verdicts("+--+---+", probe()) == [True, True, True, True, True, True, False, True]
    assert verdicts("+-++", probe(successes=2)) == [None, None, None, True]
    assert verdicts("--", probe(failures=1)) == [False, False]


@pytest.mark.parametrize(
    ("spec", "action"),
    [
        ({"httpGet": {"port": "web"}}, Http(host="10.0.0.1", port=8080, path="/", scheme="HTTP")),
        (
            {"httpGet": {"port": 1, "path": "up", "host": "h", "scheme": "HTTPS"}},
            Http(host="h", port=1, path="/up", scheme="HTTPS"),
        ),
        ({"tcpSocket": {"port": "web"}}, Tcp(host="10.0.0.1", port=8080)),
        ({"exec": {"command": ["true"]}}, Exec(command=("true",))),
        ({"httpGet": {"port": "gone"}}, Unsupported(what='couldn\'t find port "gone" in container')),
    ],
)
def test_actions(spec: dict[str, Any], action: object) -> None:
    assert action_of(spec, CONTAINER, "10.0.0.1") == action


def test_the_probes_of_a_container_come_with_their_defaults() -> None:
    (found,) = probes_of({**CONTAINER, "livenessProbe": {"grpc": {"port": 1}}}, "10.0.0.1")
    assert (found.kind, found.period, found.timeout, found.failures) == ("liveness", 10, 1, 3)
    assert isinstance(found.action, Unsupported)


async def dial(host: str, port: int) -> socket.socket:
    made = socket.socket()
    made.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(made, (host, port))
    except BaseException:
        made.close()
        raise
    return made


async def program(argv: tuple[str, ...], _seconds: float) -> tuple[int, str]:
    if argv[0] == "slow":
        raise TimeoutError
    return int(argv[0]), "said"


async def served(answer: bytes, path: str = "/") -> Answer:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer != b"silence":
            writer.write(answer)
        else:
            await reader.read()
        writer.close()
        await writer.wait_closed()
        done.set()

    done = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    found = await ask(Http(host="127.0.0.1", port=port, path=path, scheme="HTTP"), 0.3, dial, program, nominal=1)
    server.close()
    await asyncio.wait_for(done.wait(), 5)
    return Answer(ok=found.ok, message=found.message.replace(str(port), "PORT"))


@pytest.mark.parametrize(
    ("answer", "ok", "message"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", True, ""),
        (b"HTTP/1.1 302 Found\r\n\r\n", True, ""),
        (b"HTTP/1.1 503 Busy\r\n\r\n", False, "HTTP probe failed with statuscode: 503"),
        (b"", False, 'Get "http://127.0.0.1:PORT/": EOF'),
        (
            b"silence",
            False,
            'Get "http://127.0.0.1:PORT/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
        ),
        (
            b"nonsense\r\n",
            False,
            'Get "http://127.0.0.1:PORT/": net/http: HTTP/1.x transport connection broken: malformed HTTP response "nonsense"',
        ),
    ],
)
async def test_http(answer: bytes, ok: bool, message: str) -> None:
    assert await served(answer) == Answer(ok=ok, message=message)


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    assert await ask(Tcp(host="127.0.0.1", port=port), 1, dial, program, nominal=1) == Answer(ok=False, message=words)
    http = Http(host="127.0.0.1", port=port, path="/x", scheme="HTTP")
    expected = Answer(ok=False, message=f'Get "http://127.0.0.1:{port}/x": {words}')
    assert await ask(http, 1, dial, program, nominal=1) == expected


async def test_programs() -> None:
    async def run(word: str) -> Answer:
        return await ask(Exec(command=(word, "x")), 1, dial, program, nominal=2)

    assert await run("0") == Answer(ok=True, message="said")
    assert await run("3") == Answer(ok=False, message="said")
    assert await run("slow") == Answer(ok=False, message='command timed out: "slow x" timed out after 2s')
