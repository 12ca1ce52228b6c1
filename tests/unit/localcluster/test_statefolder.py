"""Who holds a state folder, and what is removed with it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aegis.errors import Refused
from aegis.localcluster.options import ClusterInfo
from aegis.localcluster.statefolder import StateFolder

HOLD = """
import sys, pathlib
from aegis.localcluster.statefolder import StateFolder
with StateFolder(pathlib.Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    found = StateFolder(tmp_path / "state")
    found.prepare()
    return found


def info(folder: StateFolder, pid: int) -> ClusterInfo:
    return ClusterInfo(
        pid=pid,
        url="https://127.0.0.1:1",
        kubeconfig=folder.kubeconfig,
        version="v1.33.0+aegis-local",
        nodes=2,
        time_scale=10.0,
        isolation="namespaces",
        not_enforced=("nothing",),
        started_at=datetime.now(UTC),
    )


def holding(folder: StateFolder) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def close(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_only_the_owner_may_look_inside(folder: StateFolder) -> None:
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_an_open_folder_is_closed(folder: StateFolder) -> None:
    folder.path.chmod(0o755)
    folder.prepare()
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_another_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("precious")
    stranger = StateFolder(tmp_path)
    with pytest.raises(Refused):
        stranger.prepare()
    stranger.remove()
    assert (tmp_path / "kubeconfig").read_text() == "precious"


def test_a_living_process_holds_it_and_a_killed_one_does_not(folder: StateFolder) -> None:
    assert folder.holder() is None
    process = holding(folder)
    try:
        assert folder.holder() == process.pid
        with pytest.raises(Refused), folder.held():
            pass
    finally:
        close(process)
    assert folder.holder() is None
    with folder.held():
        pass


def test_what_a_dead_process_published_counts_for_nothing(folder: StateFolder) -> None:
    process = holding(folder)
    try:
        folder.publish(info(folder, process.pid))
        assert folder.info() == info(folder, process.pid) or folder.info() is not None
        folder.publish(info(folder, os.getpid()))
        assert folder.info() is None
    finally:
        close(process)
    assert folder.info() is None


def test_it_goes_without_a_trace_unless_others_use_it(folder: StateFolder) -> None:
    folder.pods.mkdir()
    for path in (folder.kubeconfig, folder.log, folder.path / "cluster.log.1", folder.stderr, folder.pods / "x"):
        path.touch()
    (folder.path / "mine").touch()
    folder.remove()
    assert [p.name for p in folder.path.iterdir()] == ["mine"]
    (folder.path / "mine").unlink()
    folder.prepare()
    folder.remove()
    assert not folder.path.exists()


def test_info_survives_its_json(folder: StateFolder) -> None:
    original = info(folder, 7)
    assert ClusterInfo.from_json(original.to_json()) == original
