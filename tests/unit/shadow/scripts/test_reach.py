"""The program that tries to get out, run as a program."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.shadow.scripts import listen, reach

SCRIPTS = Path(reach.__file__).parent


@pytest.fixture
def listener() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def test_what_answers_is_reached_and_what_is_refused_or_unknown_is_not(listener: str, closed: str) -> None:
    assert reach.reaches(listener, 1.0)
    assert not reach.reaches(closed, 1.0)
    assert not reach.reaches("no-such-host.invalid:80", 1.0)
    assert not reach.reaches("nonsense", 1.0)
    assert not reach.reaches("127.0.0.1:99999", 1.0)


def test_it_stands_alone_and_prints_one_line(tmp_path: Path, listener: str, closed: str) -> None:
    plan = {"control": [listener], "forbidden": [closed], "timeout": 1.0, "patience": 1.0}
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", str(SCRIPTS / "reach.py"), str(file)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert json.loads(done.stdout) == {listener: True, closed: False}


def test_a_leak_that_stays_is_told_after_patience(tmp_path: Path, listener: str) -> None:
    results: dict[str, bool] = {}
    reach.watch(listener, False, {"timeout": 0.5, "patience": 0.3}, results)
    assert results == {listener: True}


def test_the_listener_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-I", str(Path(listen.__file__)), str(port)])
    try:
        results: dict[str, bool] = {}
        reach.watch(f"127.0.0.1:{port}", True, {"timeout": 0.5, "patience": 10.0}, results)
        assert results == {f"127.0.0.1:{port}": True}
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.parametrize(("control", "forbidden", "status"), [(True, False, 0), (False, False, 1), (True, True, 1)])
def test_standing_guard_it_fails_where_not_all_is_as_it_must_be(
    tmp_path: Path, listener: str, closed: str, control: bool, forbidden: bool, status: int
) -> None:
    plan = {
        "control": [listener if control else closed],
        "forbidden": [listener if forbidden else closed],
        "timeout": 1.0,
        "patience": 0.0,
        "strict": True,
    }
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "reach.py"), str(file)], capture_output=True, timeout=20, check=False
    )
    assert done.returncode == status
