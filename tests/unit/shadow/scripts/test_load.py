"""The script that sends requests, against a real server."""

import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import aegis.shadow.scripts

SCRIPT = Path(aegis.shadow.scripts.__file__).parent / "load.py"


@contextmanager
def server(answer: Callable[[int], tuple[int, dict[str, str]]]) -> Iterator[int]:
    """A server whose n-th answer is what `answer(n)` says; yields its port."""
    count = [0]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers = answer(count[0])
            count[0] += 1
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield running.server_address[1]
        finally:
            running.shutdown()
            thread.join()


def run(tmp_path: Path, port: int, **more: Any) -> Any:
    check = {"name": "q", "scheme": "http", "host": "127.0.0.1", "port": port, "path": "/", "headers": {}}
    plan = {
        "checks": [{**check, **more.pop("check", {})}],
        "requests": 20,
        "block": 10,
        "interval": 0.001,
        "timeout": 0.3,
        "duration": 10,
        "patience": 0.2,
        "warm_up": 2,
        "turns": [0, 1, 2, 3],
        "slot": 0.02,
        **more,
    }
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan), encoding="utf-8")
    ended = subprocess.run([sys.executable, str(SCRIPT), str(file)], capture_output=True, timeout=30, check=True)
    return json.loads(ended.stdout)


def test_good_answers_are_counted_after_the_warm_up(tmp_path: Path) -> None:
    with server(lambda _: (200, {})) as port:
        report = run(tmp_path, port)
    told = report["checks"]["q"]
    assert (told["sent"], told["failed"], len(told["seconds"]), told["errors"]) == (20, 0, 20, {})
    assert min(told["seconds"]) > 0
    assert report["stopped"] == ""


def test_what_fails_at_once_is_no_fast_answer(tmp_path: Path) -> None:
    with server(lambda n: (503 if n >= 3 and n % 2 else 200, {})) as port:
        told = run(tmp_path, port)["checks"]["q"]
    assert (told["sent"], told["failed"], len(told["seconds"])) == (20, 10, 10)
    assert told["errors"] == {"HTTP 503": 10}


def test_a_page_that_is_not_there_is_an_answer(tmp_path: Path) -> None:
    with server(lambda _: (404, {})) as port:
        assert run(tmp_path, port)["checks"]["q"]["failed"] == 0


def test_a_time_out_counts_its_time(tmp_path: Path) -> None:
    def slow(n: int) -> tuple[int, dict[str, str]]:
        if n >= 3:
            time.sleep(0.5)
        return 200, {}

    with server(slow) as port:
        told = run(tmp_path, port, requests=2, timeout=0.1)["checks"]["q"]
    assert (told["sent"], told["failed"], len(told["seconds"])) == (2, 2, 2)
    assert min(told["seconds"]) >= 0.1


def test_nobody_listens(tmp_path: Path) -> None:
    with server(lambda _: (200, {})) as port:
        pass
    told = run(tmp_path, port, requests=5)["checks"]["q"]
    assert (told["sent"], told["failed"], told["seconds"]) == (5, 5, [])


def test_a_hanging_application_ends_with_the_time(tmp_path: Path) -> None:
    def hang(_: int) -> tuple[int, dict[str, str]]:
        time.sleep(0.2)
        return 200, {}

    with server(hang) as port:
        told = run(tmp_path, port, requests=1000, duration=1, timeout=0.1, warm_up=0)["checks"]["q"]
    assert 0 < told["sent"] < 1000
    assert told["failed"] == told["sent"]


def test_a_name_that_is_not_found_is_nobodys_answer(tmp_path: Path) -> None:
    report = run(tmp_path, 1, check={"host": "no-such-host.invalid"})
    assert "no-such-host.invalid" in report["stopped"]
    assert report["checks"]["q"]["sent"] == 0


def test_what_is_asked_for_with_retry_after_is_respected(tmp_path: Path) -> None:
    with server(lambda n: (429, {"Retry-After": "0.4"}) if n == 3 else (200, {})) as port:
        begun = time.monotonic()
        told = run(tmp_path, port, requests=3)["checks"]["q"]
    assert told["failed"] == 1
    assert time.monotonic() - begun >= 0.4


@pytest.mark.parametrize("turns", [[0, 3], [1, 2]])
def test_an_arm_sends_in_its_own_turns_only(tmp_path: Path, turns: list[int]) -> None:
    seen: list[float] = []

    def note(_: int) -> tuple[int, dict[str, str]]:
        seen.append(time.time())
        return 200, {}

    with server(note) as port:
        run(tmp_path, port, turns=turns, slot=0.2, warm_up=0, requests=20, interval=0.02)
    counted = seen[1:]
    astray = sum(1 for moment in counted if int(moment / 0.2) % 4 not in turns)
    assert astray <= 4, "but for the last request of a turn, which may arrive a moment later"
