"""The program that asks a candidate, against a server that answers as told."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aegis.shadow.scripts import smoke


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response({"/good": 204, "/moved": 302, "/bad": 500}.get(self.path, 404))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def check(port: int, path: str, scheme: str = "http") -> dict[str, Any]:
    return {"name": path, "scheme": scheme, "host": "127.0.0.1", "port": port, "path": path, "headers": {}}


@pytest.mark.parametrize(("path", "words"), [("/good", ""), ("/moved", ""), ("/bad", "HTTP 500"), ("/", "HTTP 404")])
def test_only_success_and_redirects_are_good(port: int, path: str, words: str) -> None:
    assert smoke.ask(check(port, path), 5.0) == words


def test_a_connection_is_enough_where_nothing_else_is_known(port: int) -> None:
    assert smoke.ask(check(port, "", "tcp"), 5.0) == ""


def test_what_does_not_listen_is_told() -> None:
    assert "Refused" in smoke.ask(check(1, "", "tcp"), 5.0)
    assert "Refused" in smoke.ask(check(1, "/"), 5.0)


def test_it_stands_alone_and_counts(tmp_path: Path, port: int) -> None:
    plan = {"checks": [check(port, "/good"), check(port, "/bad")], "requests": 5, "timeout": 5.0, "patience": 0.2}
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(smoke.__file__), str(file)], capture_output=True, text=True, timeout=60, check=True
    )
    result = json.loads(done.stdout)
    assert (result["/good"]["requests"], result["/good"]["failures"]) == (5, 0)
    assert (result["/bad"]["failures"], result["/bad"]["errors"]) == (5, {"HTTP 500": 5})
    assert len(result["/good"]["seconds"]) == 5
