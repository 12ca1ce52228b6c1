"""What Falco saw of a namespace, on the local cluster: real pods, real logs, two nodes, a restart, and text output."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.evidence.alert_file import PodAlerts
from aegis.evidence.falco import FalcoPlace, find_falco
from aegis.falco.query import AlertQuery
from aegis.localcluster.cluster import LocalCluster
from aegis.localcluster.options import ClusterOptions
from aegis.model.refs import JsonObject, ObjectRef
from aegis.model.scan import Runtime, ScanStatus
from aegis.security.desk import Desk
from aegis.security.falco import check_falco_alerts
from aegis.security.scanners.falco import PLUGIN

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(150)]

DAEMON_SET = ObjectRef(api_version="apps/v1", kind="DaemonSet", name="falco", namespace="falco")
QUIET = "import time; time.sleep(600)"
READING = """
import subprocess, time
while True:
    subprocess.run(["sh", "-c", "cat /etc/shadow | wc -c"], stdout=subprocess.DEVNULL)
    time.sleep(0.3)
"""


def pod(namespace: str, code: str, node: str) -> JsonObject:
    container = {"name": "web", "image": "python:3.12-slim", "command": ["python", "-u", "-c", code]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0, "nodeName": node}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": namespace}, "spec": spec}


@dataclass(slots=True)
class World:
    """A cluster of two nodes, watched by Falco, and its administrator."""

    driver: Any

    async def until(self, condition: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110 - what is waited for is in another process
                await asyncio.sleep(0.1)

    async def start(self, namespace: str, code: str, node: str) -> None:
        """A namespace with one pod, which runs when this returns."""
        await self.driver.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        await self.driver.create(pod(namespace, code, node))
        ref = ObjectRef(api_version="v1", kind="Pod", name="web", namespace=namespace)

        async def runs() -> bool:
            return bool((await self.driver.get(ref)).get("status", {}).get("phase") == "Running")

        await self.until(runs)

    async def watched(self, *, but: frozenset[str] = frozenset()) -> bool:
        """Whether Falco watches both nodes, and has for long enough that nobody doubts it."""
        found = await find_falco(self.driver)
        ready = [one for one in found.sentries if not one.lapses(datetime.now(UTC)) and one.uid not in but]
        return len({one.node for one in ready}) == 2 and len(found.sentries) == 2

    async def said_of(self, namespace: str, since: datetime) -> dict[str, Any]:
        return await check_falco_alerts(namespace, since)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    options = ClusterOptions(state=tmp_path / "cluster", time_scale=60.0, falco=True)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    async with LocalCluster(options) as local, connect(KubeOptions(kubeconfig=local.kubeconfig)) as driver:
        monkeypatch.setenv("KUBECONFIG", str(local.kubeconfig))
        yield World(driver=driver)


async def test_a_namespace_is_clean_dirty_or_not_known(world: World) -> None:
    first, second = sorted(one["metadata"]["name"] for one in await world.driver.list("v1", "Node"))
    await world.until(world.watched)
    since = datetime.now(UTC)
    await world.start("demo", QUIET, first)
    await world.start("demo-prod", READING, second)

    async def is_told() -> bool:
        batch = await PodAlerts(world.driver, FalcoPlace()).read(AlertQuery(namespace="demo-prod", since=since), 10)
        return bool(batch.alerts)

    await world.until(is_told)
    async with asyncio.TaskGroup() as group:
        clean, dirty = (group.create_task(world.said_of(name, since)) for name in ("demo", "demo-prod"))
        subject = Runtime(namespace="demo-prod", since=since, until=datetime.now(UTC))
        scan = group.create_task(PLUGIN.scan(subject, Desk(reader=world.driver)))
    assert (clean.result()["status"], clean.result()["reason"]) == ("clean", None)
    assert clean.result()["label_selector"] == "app.kubernetes.io/name=falco"
    assert dirty.result()["status"] == "dirty"
    assert dirty.result()["alerts"][0]["output_fields"]["k8s.ns.name"] == "demo-prod"
    found = scan.result()
    assert (found.status, found.coverage.scanned) == (ScanStatus.FINDINGS, (second,))
    assert "Read sensitive file untrusted" in {one.rule_id for one in found.findings}
    assert {str(one.subject) for one in found.findings} == {"Pod/web in demo-prod"}
    assert found.tool.version == "0.44.1"

    before = frozenset(one.uid for one in (await find_falco(world.driver)).sentries)
    spec = {"containers": [{"name": "falco", "env": [{"name": "FALCO_JSON_OUTPUT", "value": "false"}]}]}
    body = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "falco"},
        "spec": {"template": {"spec": spec}},
    }
    await world.driver.apply(DAEMON_SET, body, manager="test", force=True)
    await world.until(lambda: world.watched(but=before))
    away = await world.said_of("demo", since)
    assert away["status"] == "errored"
    assert "(re)started meanwhile" in away["reason"]

    since = datetime.now(UTC)
    await world.until(is_told)
    async with asyncio.TaskGroup() as group:
        clean, dirty = (group.create_task(world.said_of(name, since)) for name in ("demo", "demo-prod"))
    assert clean.result()["status"] == "clean"
    assert dirty.result()["status"] == "dirty"
    assert dirty.result()["alerts"][0]["from_text"] is True
