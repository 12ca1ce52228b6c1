"""A trivy server is asked which database it has; whatever it answers is read or said to be unusable."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from trivy_reports import NOW, version

from aegis.security.trivytool.report import Unusable, database_time
from aegis.security.trivytool.server import ask_version


@contextmanager
def served(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Trivy-Token', '')}".strip())
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_it_says_of_when_its_database_is() -> None:
    with served(200, json.dumps(version()).encode()) as (url, asked):
        said = await ask_version(f"{url}/")
    updated = database_time(said)
    assert updated is not None
    assert updated < NOW
    assert asked == ["/version"]


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (302, b"{}", "answers 302"),
        (500, b"{}", "answers 500"),
        (200, b"<html>", "not JSON"),
        (200, b"", "no report"),
        (200, b" " * 100_000, "more than a version"),
    ],
)
async def test_any_other_answer_is_unusable(status: int, body: bytes, why: str) -> None:
    with served(status, body) as (url, asked), pytest.raises(Unusable, match=why):
        await ask_version(url)
    assert asked == ["/version"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:4954", "http://[", "http://127.0.0.1:1"])
async def test_what_is_no_server(url: str) -> None:
    with pytest.raises(Unusable, match="trivy_server"):
        await ask_version(url)
