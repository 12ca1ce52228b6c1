"""exec, attach, cp and port-forward: kubectl speaks WebSocket when it is new and SPDY when it is old."""

from __future__ import annotations

import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.kubectl, pytest.mark.namespaces]


@pytest.fixture
def pod(k: Any) -> str:
    k("run", "box", "--image=nginx:1.27", "--restart=Never")
    k("wait", "--for=condition=Ready", "pod/box", "--timeout=20s")
    return "box"


def test_exec_keeps_streams_apart_and_tells_the_exit_code(k: Any, pod: str) -> None:
    done = k.run("exec", pod, "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.stdout, done.returncode) == ("out\n", 3)
    assert done.stderr.startswith("err\n")
    assert k("exec", "-i", pod, "--", "wc", "-c", stdin="x" * 200_000).strip() == "200000"
    assert "executable file not found in $PATH" in k.fails("exec", pod, "--", "nosuch")
    assert "container none is not valid for pod box" in k.fails("exec", pod, "-c", "none", "--", "true")


def test_files_are_copied_both_ways(k: Any, pod: str, tmp_path: Path) -> None:
    (tmp_path / "sent").write_bytes(bytes(range(256)) * 1000)
    k("cp", str(tmp_path / "sent"), f"{k.namespace}/{pod}:/tmp/there")
    k("cp", f"{k.namespace}/{pod}:tmp/there", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == (tmp_path / "sent").read_bytes()


def test_a_port_is_forwarded_again_and_again(k: Any, pod: str) -> None:
    process = k.start("port-forward", f"pod/{pod}", ":80", "--address=127.0.0.1")
    try:
        port = re.search(r"127\.0\.0\.1:(\d+) -> 80", process.stdout.readline())
        assert port
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/", timeout=10) as answer:
                assert b"Welcome" in answer.read()
    finally:
        process.kill()
        process.communicate()


def test_a_port_that_nobody_listens_on_is_said(k: Any, pod: str) -> None:
    process = k.start("port-forward", f"pod/{pod}", ":81", "--address=127.0.0.1")
    try:
        port = re.search(r"127\.0\.0\.1:(\d+) -> 81", process.stdout.readline())
        assert port
        with pytest.raises(OSError):  # noqa: PT011 - reset, closed or empty: as the timing has it
            urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/", timeout=10)
        assert any("error forwarding port 81" in process.stdout.readline() for _ in range(3))
    finally:
        process.kill()
        process.communicate()


def test_whoever_attaches_speaks_with_the_program(k: Any) -> None:
    command = ["sh", "-c", "read -r x; sleep 1; echo got $x"]
    k("run", "cat", "--image=busybox:1.36", "--stdin", "--attach=false", "--restart=Never", "--", *command)
    k("wait", "--for=condition=Ready", "pod/cat", "--timeout=20s")
    done = subprocess.run(
        [k.binary, "--kubeconfig", str(k.kubeconfig), "-n", k.namespace, "attach", "-i", "cat"],
        input="this\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "got this" in done.stdout
