"""A cluster in the background: really started, found again, killed, ended."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from aegis.errors import Refused, Unavailable
from aegis.localcluster import daemon
from aegis.localcluster.options import ClusterInfo, ClusterOptions


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    yield folder
    daemon.down(folder)


def version(info: ClusterInfo) -> str:
    document = yaml.safe_load(info.kubeconfig.read_text())
    context = ssl.create_default_context()
    authority = document["clusters"][0]["cluster"]["certificate-authority-data"]
    context.load_verify_locations(cadata=base64.b64decode(authority).decode())
    with urllib.request.urlopen(f"{info.url}/version", context=context, timeout=5) as answer:  # noqa: S310 - https of this machine
        return str(json.load(answer)["gitVersion"])


def test_up_status_down(state: Path) -> None:
    steps: list[str] = []
    info = daemon.up(ClusterOptions(state=state, time_scale=20, nodes=3), progress=steps.append)
    assert steps
    assert daemon.status(state) == info
    assert (info.nodes, info.time_scale) == (3, 20.0)
    assert info.kubeconfig == daemon.kubeconfig_path(state)
    assert info.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert version(info) == info.version
    assert info.version.endswith("+aegis-local")
    assert daemon.down(state)
    assert not state.exists()
    assert daemon.status(state) is None
    assert not daemon.down(state)
    with pytest.raises(ProcessLookupError):
        os.kill(info.pid, 0)


def test_two_starts_at_once_make_one_cluster(state: Path) -> None:
    found: list[int] = []
    options = ClusterOptions(state=state)
    threads = [threading.Thread(target=lambda: found.append(daemon.up(options).pid)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert len(set(found)) == 1


def test_a_killed_cluster_leaves_the_folder_free(state: Path) -> None:
    first = daemon.up(ClusterOptions(state=state))
    os.kill(first.pid, signal.SIGKILL)
    end = time.monotonic() + 5
    while daemon.status(state) is not None:
        assert time.monotonic() < end
        time.sleep(0.01)
    second = daemon.up(ClusterOptions(state=state))
    assert second.pid != first.pid
    assert daemon.status(state) == second


def test_an_owned_cluster_ends_with_its_context(state: Path) -> None:
    with daemon.owned(ClusterOptions(state=state)) as info:
        assert daemon.status(state) == info
        with pytest.raises(Refused, match="already"), daemon.owned(ClusterOptions(state=state)):
            pass
    assert not state.exists()


def test_an_owned_cluster_ends_with_its_owner(state: Path) -> None:
    code = (
        "import sys, time, pathlib\n"
        "from aegis.localcluster.daemon import owned\n"
        "from aegis.localcluster.options import ClusterOptions\n"
        "with owned(ClusterOptions(state=pathlib.Path(sys.argv[1]))) as info:\n"
        "    print(info.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code, str(state)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert int(owner.stdout.readline())
    owner.kill()
    owner.communicate()
    end = time.monotonic() + 10
    while daemon.status(state) is not None:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_start_that_fails_says_why(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"cannot listen on port {port}"):
            daemon.up(ClusterOptions(state=state, port=port))
    assert daemon.status(state) is None


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(Refused, match="other files"):
        daemon.up(ClusterOptions(state=tmp_path))
    daemon.down(tmp_path)
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"nodes": 0},
        {"nodes": 51},
        {"time_scale": 0},
        {"time_scale": 1e6},
        {"cpu": "plenty"},
        {"memory": "-1Gi"},
        {"port": 70000},
    ],
)
def test_options_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"cluster has|time scale|quantity|offer|port"):
        ClusterOptions(state=tmp_path, **wrong)  # type: ignore[arg-type]  # the point of the test
