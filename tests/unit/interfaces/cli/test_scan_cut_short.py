"""A scan that is interrupted ends with 130, and no tool of it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: 'nginx:1'}]}\n"


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], int]]]:
    """Begin a scan by a tool that never ends; the process of the tool."""
    mark, tool = tmp_path / "pid", tmp_path / "kubesec"
    tool.write_text(
        f'#!/bin/sh\n[ "$1" = version ] && exit 0\necho $$ > {mark}.new\nmv {mark}.new {mark}\nexec sleep 60\n'
    )
    tool.chmod(0o755)
    (tmp_path / "pod.yaml").write_text(POD)
    environ = {**os.environ, "AEGIS_SECURITY__KUBESEC_PATH": str(tool), "XDG_STATE_HOME": str(tmp_path / "state")}
    command = [
        sys.executable,
        "-m",
        "aegis.interfaces.cli.main",
        "scan",
        "manifest",
        "pod.yaml",
        "--scanner",
        "kubesec",
    ]
    processes = []

    def begin(*words: str) -> tuple[subprocess.Popen[str], int]:
        process = subprocess.Popen(
            [*command, *words], cwd=tmp_path, env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        processes.append(process)
        deadline = time.monotonic() + 60
        while not mark.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process, int(mark.read_text())

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def test_interrupted(begun: Callable[..., tuple[subprocess.Popen[str], int]]) -> None:
    process, tool = begun()
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in said
    assert not alive(tool)


def alive(process: int) -> bool:
    """Whether it goes on; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
