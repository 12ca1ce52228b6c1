"""The web server of the nginx image, as a program of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

nginx: Any = import_module("aegis.localcluster.kubelet.images.programs.nginx")
PROGRAM = Path(nginx.__file__)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Serve a configuration; the answer is its address."""
    running: list[subprocess.Popen[str]] = []

    def serve(body: str) -> str:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        config = tmp_path / "nginx.conf"
        config.write_text(
            f"events {{}}\nhttp {{ server {{ listen 127.0.0.1:{port}; {body} }} }}".replace("ROOT", str(tmp_path)),
            encoding="utf-8",
        )
        source = PROGRAM.read_text(encoding="utf-8").replace("/var/cache/nginx", str(tmp_path / "cache"))
        program = tmp_path / "nginx.py"
        program.write_text(source.replace("/run/nginx.pid", str(tmp_path / "pid")), encoding="utf-8")
        command = [sys.executable, "-u", str(program), "-c", str(config)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.02)
        return f"http://127.0.0.1:{port}"

    yield serve
    for process in running:
        process.kill()
        process.communicate()


def ask(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - a server of this test
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_serves_files_stubs_and_faults(served: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("front", encoding="utf-8")
    (tmp_path / "deep").mkdir()
    url = served(
        'root ROOT; location = /healthz { return 200 "fine"; } location /gone { return 410; } location /deep/ { index none; }'
    )
    assert ask(f"{url}/") == (200, "front")
    assert ask(f"{url}/healthz") == (200, "fine")
    assert ask(f"{url}/gone/x")[0] == 410
    assert ask(f"{url}/deep/")[0] == 403
    code, page = ask(f"{url}/nothing")
    assert code == 404
    assert "<center>nginx/1.27.5</center>" in page
    assert ask(f"{url}/%2e%2e/etc/passwd")[0] == 400


def test_tries_files_and_passes_on(served: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "app.html").write_text("app", encoding="utf-8")
    upstream = served("location / { return 201 'from upstream'; }")
    url = served(f"root ROOT; location / {{ try_files $uri /app.html; }} location /api/ {{ proxy_pass {upstream}/; }}")
    assert ask(f"{url}/any/route") == (200, "app")
    assert ask(f"{url}/api/x") == (201, "from upstream")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("http {", "unexpected end of file"),
        ("}", 'unexpected "}"'),
        ("listen 80", "unexpected end of file"),
        ("{ }", 'unexpected "{"'),
    ],
)
def test_refuses_what_is_not_well_formed(text: str, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(nginx.ConfigError, match=fault):
        nginx.parse(str(file))


@pytest.mark.parametrize(
    ("path", "chosen"),
    [("/", "/"), ("/img/a", "/img/"), ("/exact", "/exact"), ("/exact/more", "/"), ("/a.PHP", r"\.php$")],
)
def test_chooses_the_location_as_nginx_does(path: str, chosen: str) -> None:
    places = [nginx.Place(match=match) for match in (["/"], ["/img/"], ["=", "/exact"], ["~*", r"\.php$"])]
    assert nginx.choose(nginx.Place(locations=places), path).match[-1] == chosen
