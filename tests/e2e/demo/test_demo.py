"""`aegis demo` as a newcomer runs it, and as somebody who loses patience does."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.drivers.kubernetes.driver import KubernetesDriver
from aegis.interfaces.cli.demo_own import NEEDED
from aegis.localcluster.cluster import LocalCluster
from aegis.localcluster.options import ClusterOptions

pytestmark = pytest.mark.namespaces

KEYS = {"scenario", "incident", "phase", "reason", "cause", "root_cause", "decision", "exit", "gates", "duration_seconds",
        "passed"}  # fmt: skip
"""Those of an item of `kind: DemoReport`."""


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


@pytest.mark.timeout(320)  # on a busy machine the demo takes half the time scale, and asks as many questions
def test_a_scenario_ends_as_the_table_says_and_leaves_nothing(tmp_path: Path) -> None:
    process = demo(tmp_path, "--scenario", "drift", "--yes", "-o", "json")
    out, told = process.communicate(timeout=300)
    assert process.returncode == 0, told[-3000:]
    report = json.loads(out)
    assert (report["kind"], report["passed"]) == ("DemoReport", True)
    (item,) = report["items"]
    assert set(item) == KEYS
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


def until(process: subprocess.Popen[str], words: str) -> list[str]:
    """What is told up to the line that holds the words."""
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line)
        if words in line:
            return told
    raise AssertionError("".join(told)[-3000:])


async def permit(driver: KubernetesDriver, user: str, permitted: Mapping[str, Sequence[str]]) -> None:
    """Give a user these verbs on these resources, everywhere."""
    rules = [
        {"apiGroups": [resource.partition(".")[2]], "resources": [resource.partition(".")[0]], "verbs": list(verbs)}
        for resource, verbs in permitted.items()
    ]
    group = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": user}}
    bound = {"apiGroup": group, "kind": "ClusterRole", "name": user}
    await driver.create({**role, "rules": rules})
    await driver.create({
        **role,
        "kind": "ClusterRoleBinding",
        "roleRef": bound,
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    })


async def names(driver: KubernetesDriver) -> set[str]:
    return {one["metadata"]["name"] for one in await driver.list("v1", "Namespace")}


async def test_on_a_cluster_of_ones_own_it_leaves_nothing_however_it_ends(tmp_path: Path) -> None:
    cluster = ClusterOptions(state=tmp_path / "cluster", time_scale=20)
    async with LocalCluster(cluster) as own, connect(KubeOptions(kubeconfig=own.kubeconfig)) as driver:
        await permit(driver, "demoer", NEEDED)
        before = await names(driver)
        words = ("--kubeconfig", str(own.kubeconfig), "--as", "demoer", "--scenario", "useless-fix", "--yes")
        killed = demo(tmp_path, *words)
        await asyncio.to_thread(until, killed, "starting both arms")
        killed.kill()
        await asyncio.to_thread(killed.communicate)
        left = await names(driver) - before
        assert min(name.rpartition("-")[0] for name in left) == "aegis-demo-useless-fix"
        assert len(left) == 3, "its namespace and both arms"

        again = demo(tmp_path, *words)
        told = await asyncio.to_thread(until, again, "starting both arms")
        assert any("deleting what an earlier demo left" in line for line in told)
        assert not left & await names(driver), "what the killed one left is gone"
        assert len(await names(driver) - before) == 3
        again.send_signal(signal.SIGINT)
        _, rest = await asyncio.to_thread(again.communicate, timeout=60)
        assert again.returncode == 130, rest
        assert await names(driver) == before
        assert [path.name for path in (tmp_path / "state" / "aegis" / "demo").iterdir()] == []


async def test_on_a_cluster_of_ones_own_it_says_which_permission_it_lacks_and_makes_nothing(tmp_path: Path) -> None:
    async with (
        LocalCluster(ClusterOptions(state=tmp_path / "cluster")) as own,
        connect(KubeOptions(kubeconfig=own.kubeconfig)) as driver,
    ):
        resources = dict.fromkeys(NEEDED, ("get", "list", "watch"))
        await permit(driver, "reader", resources)
        before = await names(driver)
        refused = demo(tmp_path, "--kubeconfig", str(own.kubeconfig), "--as", "reader", "--yes")
        _, told = await asyncio.to_thread(refused.communicate, timeout=60)
        assert refused.returncode == 77, told
        assert "create namespaces" in told
        assert await names(driver) == before
