"""`aegis demo` as a newcomer runs it, and as somebody who loses patience does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.namespaces


def demo(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    env = {**os.environ, "TMPDIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state"), "NO_COLOR": "1"}
    env.pop("KUBECONFIG", None)
    return subprocess.Popen(
        [sys.executable, "-m", "aegis.interfaces.cli.main", "demo", *words],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes_of(folder: Path) -> list[str]:
    """The command lines of processes that name the folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def test_a_scenario_ends_as_the_table_says_and_leaves_nothing(tmp_path: Path) -> None:
    process = demo(tmp_path, "--scenario", "drift", "--yes", "-o", "json")
    out, told = process.communicate(timeout=150)
    assert process.returncode == 0, told[-3000:]
    report = json.loads(out)
    assert (report["kind"], report["passed"]) == ("DemoReport", True)
    (item,) = report["items"]
    assert (item["scenario"], item["phase"], item["reason"], item["exit"]) == ("drift", "Failed", "Drifted", 4)
    assert item["decision"] == "ACCEPT"
    assert {"gate", "outcome", "required"} <= item["gates"][0].keys()
    assert report["time_scale"] > 1
    assert "times faster" in told, "the time scale is said on screen"
    assert "Approve?" in told
    assert "Answering yes" in told
    assert list(tmp_path.glob("aegis-demo-*")) == []
    assert processes_of(tmp_path) == []


def test_killed_it_takes_its_cluster_along(tmp_path: Path) -> None:
    process = demo(tmp_path, "--scenario", "missing-env", "--yes")
    assert process.stderr is not None
    for line in process.stderr:
        if "starting both arms" in line:
            break
    assert processes_of(tmp_path), "a cluster runs"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 20
    while processes_of(tmp_path):
        assert time.monotonic() < deadline, processes_of(tmp_path)
        time.sleep(0.1)
