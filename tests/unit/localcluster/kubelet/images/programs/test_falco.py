"""What the falco pods run, as a program of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from aegis.falco.alert import parse_alert

PROGRAM = Path(str(import_module("aegis.localcluster.kubelet.images.programs.falco").__file__))
ALERT: dict[str, Any] = {
    "output": "05:27:39.933461372: Notice Shell spawned | command=sh -c a\nb é",
    "output_fields": {"evt.time": 1795238859933461372, "proc.pname": None},
    "priority": "Notice",
    "rule": "Run shell untrusted",
    "source": "syscall",
    "tags": ["shell"],
    "time": "2026-11-21T05:27:39.933461372Z",
}


def run(*messages: dict[str, Any], **env: str) -> list[str]:
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with mine, theirs:
        program = subprocess.Popen(
            [sys.executable, str(PROGRAM)], stdin=theirs.fileno(), stdout=subprocess.PIPE, env=env, encoding="utf-8"
        )
        theirs.close()
        for message in messages:
            mine.send(json.dumps(message).encode())
        mine.close()
        out, _ = program.communicate(timeout=20)
    assert program.returncode == 0
    return out.splitlines()


def test_alerts_as_json_after_the_first_words() -> None:
    *words, line, end = run(ALERT, FALCO_HOSTNAME="node-1", LC_ALL="C.UTF-8")
    assert json.loads(line) == {"hostname": "node-1", **ALERT}
    assert words[-1].endswith(": Opening 'syscall' source with seccomp user notification.")
    assert not any(parse_alert(word) for word in (*words, end))


def test_alerts_as_text_are_a_line_each() -> None:
    *_, line, _ = run(ALERT, FALCO_JSON_OUTPUT="false", LC_ALL="C.UTF-8")
    assert line == r"05:27:39.933461372: Notice Shell spawned | command=sh -c a\nb é"


@pytest.mark.parametrize("as_json", ["true", "false"])
def test_what_was_dropped(as_json: str) -> None:
    *_, line, _ = run({"dropped": 12}, FALCO_JSON_OUTPUT=as_json)
    read = parse_alert(line)
    assert read is not None
    assert read.rule == "Falco internal: syscall event drop"
    assert read.tells_of_loss
    assert "12 system calls dropped in last second." in line


def test_it_ends_when_it_is_asked_to() -> None:
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with mine, theirs:
        program = subprocess.Popen(
            [sys.executable, str(PROGRAM)], stdin=theirs.fileno(), stdout=subprocess.PIPE, encoding="utf-8"
        )
        assert program.stdout is not None
        while "Opening" not in program.stdout.readline():
            pass
        mine.send(json.dumps(ALERT).encode())
        assert program.stdout.readline().startswith("{")
        program.send_signal(signal.SIGTERM)
        out, _ = program.communicate(timeout=20)
    assert "SIGTERM received" in out
    assert program.returncode == 0
