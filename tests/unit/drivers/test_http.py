"""The HTTP client: TLS verified, answers bounded, tried again where that helps, a token for one host alone."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from fake_api_server import make_authority
from log_services import LogServices, log_services

from aegis.drivers import http
from aegis.drivers.http import HttpOptions, open_http
from aegis.errors import AegisError, Invalid, NotFound, PermissionDenied, Unavailable, UsageError

PATH, FORM = "/select/logsql/query", {"query": "source:syscall | sort by (_time desc) limit 1", "limit": "1"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_PAUSE", 0.0)


@pytest.fixture
async def services() -> AsyncIterator[LogServices]:
    async with log_services() as made:
        yield made


async def ask(services: LogServices, **options: object) -> bytes:
    async with open_http(HttpOptions(url=services.url, name="logs", **options)) as client:  # type: ignore[arg-type]
        return await client.post(PATH, FORM)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_service_that_is_busy_is_asked_again(services: LogServices, status: int) -> None:
    services.instead = [web.Response(status=status), web.Response(status=status)]
    assert await ask(services) == b""
    services.instead = [web.Response(status=status, text="too  much\nto do") for _ in range(3)]
    with pytest.raises(Unavailable, match=f"logs: answers {status}: too much to do"):
        await ask(services)


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Invalid), (401, PermissionDenied), (403, PermissionDenied), (404, NotFound), (418, Unavailable), (302, Unavailable)],
)  # fmt: skip
async def test_a_refusal_is_final(services: LogServices, status: int, error: type[AegisError]) -> None:
    elsewhere = {"Location": "http://127.0.0.1:1/"}
    services.instead = [web.Response(status=status, headers=elsewhere)]
    with pytest.raises(error, match=f"logs answers {status}"):
        await ask(services)
    assert len(services.queries) == 1


async def test_an_answer_without_end_is_cut(services: LogServices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST", 1000)
    services.instead = [web.Response(body=b"x" * 1001)]
    with pytest.raises(Unavailable, match="answers with more than"):
        await ask(services)


async def test_a_service_that_says_nothing_is_given_up(services: LogServices, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    app = web.Application()
    app.router.add_post(PATH, stuck)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        services.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        with pytest.raises(Unavailable, match="no answer within"):
            await ask(services, timeout=0.05)
    finally:
        await runner.cleanup()


async def test_nobody_there_is_unavailable(services: LogServices) -> None:
    services.url = "http://127.0.0.1:9"
    with pytest.raises(Unavailable, match="logs: "):
        await ask(services)


async def test_a_certificate_is_verified(tmp_path: Path) -> None:
    authority = make_authority()
    (tmp_path / "server.pem").write_bytes(authority.server.certificate + authority.server.key)
    (tmp_path / "ca.pem").write_bytes(authority.ca)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "server.pem")
    async with log_services(tls) as services:
        assert await ask(services, ca_file=tmp_path / "ca.pem", token="t") == b""
        with pytest.raises(Unavailable, match="certificate is not trusted"):
            await ask(services)
        services.url = services.url.replace("127.0.0.1", "localhost")
        with pytest.raises(Unavailable, match="certificate is not trusted"):
            await ask(services, ca_file=tmp_path / "ca.pem")


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("", ""),
        ("logs:9428", ""),
        ("ftp://logs", ""),
        ("http://[", ""),
        ("http://logs?x=1", ""),
        ("https://user:secret@logs", ""),
        ("http://logs.example", "t"),
        ("http://127.0.0.1.example", "t"),
    ],
)
async def test_a_url_that_is_none_or_not_safe_is_refused(url: str, token: str) -> None:
    with pytest.raises(UsageError) as caught:
        async with open_http(HttpOptions(url=url, token=token)):
            pass
    assert "secret" not in str(caught.value)


async def test_a_file_of_authorities_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file of authorities"):
        async with open_http(HttpOptions(url="https://x", ca_file=tmp_path / "none")):
            pass


async def test_headers_go_with_every_question_and_a_token_is_not_shown(services: LogServices) -> None:
    await ask(services, headers={"X-Scope-OrgID": "team"}, token="t0k3n")
    assert services.headers[0]["X-Scope-OrgID"] == "team"
    assert "t0k3n" not in repr(HttpOptions(url="https://x", token="t0k3n"))
