"""`aegis fix` is killed, interrupted, or asked for twice, with real pods, a real shadow and the real trial."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.drivers.kubernetes.driver import KubernetesDriver
from aegis.interfaces.cli.demo_scenario import chosen, manifests
from aegis.localcluster.cluster import LocalCluster
from aegis.localcluster.options import ClusterOptions
from aegis.model.refs import ObjectRef
from aegis.stores.audit import FileAuditLog

pytestmark = pytest.mark.namespaces

(SCENARIO,) = chosen("missing-env")
NAMESPACE = SCENARIO.namespace
WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="checkout", namespace=NAMESPACE)
SCALE = 40


class Shop:
    """A cluster with the broken shop, and the command line pointed to it."""

    def __init__(self, driver: KubernetesDriver, kubeconfig: Path, folder: Path) -> None:
        self.driver = driver
        self.folder = folder
        self.env = {**os.environ, "KUBECONFIG": str(kubeconfig), "XDG_STATE_HOME": str(folder), "NO_COLOR": "1"}

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "aegis.interfaces.cli.main",
            *words,
            env=self.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def fix(self, *words: str) -> tuple[int, dict[str, Any], str]:
        process = await self.start("fix", "deploy/checkout", "-n", NAMESPACE, "-o", "json", *words)
        out, said = await asyncio.wait_for(process.communicate(), 120)
        return process.returncode or 0, json.loads(out) if out else {}, said.decode()

    async def shadows(self) -> list[str]:
        found = await self.driver.list("v1", "Namespace")
        return [one["metadata"]["name"] for one in found if one["metadata"]["name"].startswith("aegis-shadow-")]

    async def assert_mended_once(self, report: dict[str, Any]) -> None:
        assert (report["phase"], report["applied"], report["rolled_back"]) == ("Resolved", True, False)
        live = await self.driver.get(WEB)
        env = live["spec"]["template"]["spec"]["containers"][0]["env"]
        mended = {item["name"]: item["value"] for item in env}
        assert mended == {"WORKERS": "4", "PAYMENT_CURRENCY": "EUR"}, json.dumps(report["diagnosis"])
        assert live["metadata"]["generation"] == 3, "made, broken, mended: each once"
        assert await self.shadows() == []
        state = self.folder / "aegis"
        assert FileAuditLog(state / "audit", anchor=state / "anchor" / "audit-head.json").verify() is None


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    options = ClusterOptions(state=tmp_path / "cluster", time_scale=SCALE)
    async with LocalCluster(options) as cluster, connect(KubeOptions(kubeconfig=cluster.kubeconfig)) as driver:
        for step in SCENARIO.steps:
            for ref, obj in manifests(step):
                await driver.apply(ref, obj, manager="kubectl", force=True)
            await until(lambda: serving(driver))
        await until(lambda: crashing(driver))
        yield Shop(driver, cluster.kubeconfig, tmp_path / "state")


async def serving(driver: KubernetesDriver) -> bool:
    status = (await driver.get(WEB)).get("status") or {}
    return bool(status.get("availableReplicas") == 2)


async def crashing(driver: KubernetesDriver) -> bool:
    pods = await driver.list("v1", "Pod", namespace=NAMESPACE)
    return any(one["restartCount"] for pod in pods for one in pod.get("status", {}).get("containerStatuses") or [])


async def until(holds: Any, seconds: float = 30) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not await holds():
        assert asyncio.get_running_loop().time() < deadline, "it did not come to hold in time"
        await asyncio.sleep(0.1)


async def says(process: asyncio.subprocess.Process, words: str) -> None:
    assert process.stderr is not None
    async with asyncio.timeout(60):
        while line := (await process.stderr.readline()).decode():
            if words in line:
                return
    raise AssertionError(f"it never said {words!r}")


async def test_killed_again_and_again_it_is_taken_up_and_ends_with_one_effect(shop: Shop) -> None:
    for moment in ("proving that the arms", "as it is: ", "watching production"):
        process = await shop.start("fix", "deploy/checkout", "-n", NAMESPACE, "--yes")
        await says(process, moment)
        process.send_signal(signal.SIGKILL)
        await process.communicate()
    status, report, said = await shop.fix("--yes")
    assert status == 0, said
    assert "taking up again" in said
    await shop.assert_mended_once(report)


async def test_interrupted_it_leaves_nothing_behind_and_two_at_once_do_not_meet(shop: Shop) -> None:
    process = await shop.start("fix", "deploy/checkout", "-n", NAMESPACE, "--yes")
    await says(process, "as it is: ")
    process.send_signal(signal.SIGINT)
    _, told = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 130, told
    assert "Traceback" not in told.decode()
    assert await shop.shadows() == []

    async with asyncio.TaskGroup() as group:
        first = group.create_task(shop.fix("--yes"))
        await until(shop.shadows)
        status, _, said = await shop.fix("--yes")
        assert status == 4, said
        assert "being worked on" in said
    status, report, said = first.result()
    assert status == 0, said
    await shop.assert_mended_once(report)


async def test_without_a_terminal_it_asks_for_approval_by_command(shop: Shop) -> None:
    status, report, said = await shop.fix()
    assert (status, report["phase"], report["applied"]) == (4, "AwaitingApproval", False)
    assert f"aegis incident approve {report['incident']}" in said
    listed = await shop.start("incident", "list", "-o", "json")
    out, _ = await listed.communicate()
    (item,) = json.loads(out)["items"]
    assert (item["id"], item["phase"]) == (report["incident"], "AwaitingApproval")
    approving = await shop.start("incident", "approve", report["incident"], "--yes", "-o", "json")
    out, errors = await asyncio.wait_for(approving.communicate(), 60)
    assert approving.returncode == 0, errors
    await shop.assert_mended_once(json.loads(out))
