"""The program that runs ZAP in a pod, run as a program against one that plays ZAP."""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from aegis.security.zaproxy.report import parse_report
from aegis.shadow.scripts import zap
from aegis.shadow.zapping import unpack

PLAYER = """
import json, os, pathlib, sys, time
mode = sys.argv[1]
path = pathlib.Path("report.json")
if mode == "old":
    sys.exit(0)
if mode == "hang":
    sys.stdout.write("begun\\n")
    sys.stdout.flush()
    if os.fork() == 0:
        pathlib.Path("child").write_text(str(os.getpid()))
    time.sleep(600)
if mode == "none":
    sys.stderr.write("Exception in thread main\\n")
    sys.exit(3)
fill = "x" * 100 if mode == "ok" else "x" * 5000
path.write_text(json.dumps({"@version": "2", "site": [], "fill": [f"{n} {fill}" for n in range(2000)]}))
sys.exit(2)
"""


def run(tmp_path: Path, mode: str, **plan: Any) -> subprocess.CompletedProcess[str]:
    (tmp_path / "player.py").write_text(PLAYER, encoding="utf-8")
    told = {
        "url": "http://127.0.0.1:9/",
        "argv": [sys.executable, "-IS", "player.py", mode],
        "folder": str(tmp_path),
        "report": "report.json",
        "seconds": 20,
        "limit": 1 << 20,
    } | plan
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(told), encoding="utf-8")
    script = Path(zap.__file__)
    return subprocess.run(
        [sys.executable, "-IS", str(script), str(file)], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_report_comes_back_in_pieces_that_no_runtime_splits(tmp_path: Path) -> None:
    done = run(tmp_path, "ok")
    last, data = unpack(done.stdout)
    assert (last["status"], done.returncode) == (2, 0)
    assert data == (tmp_path / "report.json").read_bytes()
    assert parse_report(data).version == "2"
    assert max(map(len, done.stdout.splitlines())) <= 8200


@pytest.mark.parametrize(
    ("mode", "why"), [("none", "no report was written"), ("old", "no report was written"), ("large", "too large")]
)
def test_an_old_report_and_one_too_large_are_none(tmp_path: Path, mode: str, why: str) -> None:
    (tmp_path / "report.json").write_text('{"@version": "1", "site": []}', encoding="utf-8")
    last, data = unpack(run(tmp_path, mode).stdout)
    assert data == b""
    assert why in last["why"]
    assert ("Exception in thread main" in last["words"]) == (mode == "none")


def test_one_that_hangs_is_ended_with_all_that_it_began(tmp_path: Path) -> None:
    last, data = unpack(run(tmp_path, "hang", seconds=1.5).stdout)
    assert (last["status"], data) == (None, b"")
    state = Path(f"/proc/{(tmp_path / 'child').read_text()}/stat")
    assert not state.exists() or state.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize(
    "answer", [b"", b"-ERR unknown command\r\n", b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"]
)
def test_what_does_not_speak_http_is_not_scanned(answer: bytes) -> None:
    def serve(server: socket.socket) -> None:
        client, _ = server.accept()
        with client:
            client.recv(1000)
            client.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        assert zap.is_foreign(f"http://127.0.0.1:{server.getsockname()[1]}/") == (not answer.startswith(b"HTTP/"))
        thread.join()


def test_where_nothing_answers_zap_is_to_find_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    assert not zap.is_foreign(f"http://127.0.0.1:{closed}/")


def test_plain_http_is_no_https() -> None:
    def serve(server: socket.socket) -> None:
        client, _ = server.accept()
        with client:
            client.recv(1000)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        assert zap.is_foreign(f"https://127.0.0.1:{server.getsockname()[1]}/")
        thread.join()


def test_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    last, data = unpack(run(tmp_path, "x", argv=["/none/zap-baseline.py"]).stdout)
    assert (last["status"], data) == (-1, b"")
    assert "No such file" in last["why"]
