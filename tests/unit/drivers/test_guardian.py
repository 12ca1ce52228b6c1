"""What the guardian says on its socket, by itself. What it leaves behind, nothing, is the business of `test_process.py`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from aegis.drivers import guardian

GUARDIAN = [sys.executable, "-I", "-S", str(Path(guardian.__file__))]


def start(*argv: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair()
    with theirs:
        command = [*GUARDIAN, str(theirs.fileno()), *argv]
        env = {"PATH": os.environ["PATH"]}
        running = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=env, stdout=subprocess.PIPE)
    ours.settimeout(30)
    return running, ours


def told(ours: socket.socket) -> list[str]:
    with ours, ours.makefile(encoding="utf-8") as lines:
        return [line.rstrip("\n") for line in lines]


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", -9), ("kill -TERM $$", -15)]
)
def test_it_tells_how_the_tool_ended(script: str, status: int) -> None:
    running, ours = start("sh", "-c", script)
    running_line, ended_line = told(ours)
    assert running_line.startswith("P ")
    assert ended_line == f"S {status}"
    assert running.wait(30) == 0
    running.communicate()


def test_it_tells_why_the_tool_cannot_be_run() -> None:
    running, ours = start("/no/such/program")
    lines = told(ours)
    assert any(line.startswith("X 2 ") for line in lines)
    running.communicate()


def test_the_tool_does_not_hold_the_socket_and_may_be_cut_off_by_a_pipe() -> None:
    script = "ls -l /proc/$$/fd | grep -c socket; grep SigIgn /proc/$$/status"
    running, ours = start("sh", "-c", script)
    told(ours)
    count, ignored = running.communicate()[0].decode().splitlines()
    assert count == "0"
    assert not int(ignored.split()[1], 16) & (1 << (signal.SIGPIPE - 1))


def test_when_the_other_end_closes_it_ends_the_tool() -> None:
    running, ours = start("sh", "-c", "trap 'echo ended; exit' TERM; echo ready; while :; do sleep 0.05; done")
    assert running.stdout is not None
    assert running.stdout.readline() == b"ready\n"
    ours.close()
    assert running.communicate(timeout=30)[0] == b"ended\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_whoever_ends_the_guardian_ends_the_tool_and_its_children(number: int) -> None:
    running, ours = start("sh", "-c", "sleep 300 & setsid sleep 300 & echo ready; wait")
    assert running.stdout is not None
    assert running.stdout.readline() == b"ready\n"
    running.send_signal(number)
    assert running.communicate(timeout=30)[0] == b""  # nobody holds the pipe any more
    assert running.returncode == 128 + number
    ours.close()
