"""Ordinary broken manifests, mended by `aegis fix` as a user types it: tried, applied, healthy, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.drivers.kubernetes.driver import KubernetesDriver
from aegis.localcluster.cluster import LocalCluster
from aegis.localcluster.options import ClusterOptions
from aegis.model.refs import ObjectRef

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(240)]

_MANIFESTS = Path(__file__).parent / "manifests"
_SCALE, _AT_ONCE = 60.0, 3
_INCIDENTS = {
    "variable-of-init-container": ("deploy/transcoder", "media", "missing_env"),
    "memory-limit-lowered": ("deploy/rollup", "analytics", "oom_limit"),
    "selector-key": ("svc/api", "web2", "svc_selector"),
    "service-account-slip": ("deploy/lister", "tenant4", "sa_missing"),
    "liveness-500": ("deploy/wiki", "health3", "probe_kill"),
}


class User:
    """Somebody with a cluster and the command line."""

    def __init__(self, driver: KubernetesDriver, kubeconfig: Path, folder: Path) -> None:
        self.driver = driver
        self._env = {**os.environ, "KUBECONFIG": str(kubeconfig), "XDG_STATE_HOME": str(folder), "NO_COLOR": "1"}

    async def types(self, *words: str) -> tuple[int, dict[str, Any], str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "aegis.interfaces.cli.main", *words, "-o", "json", env=self._env,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, said = await asyncio.wait_for(process.communicate(), 150)
        return process.returncode or 0, json.loads(out) if out else {}, said.decode()

    async def breaks(self, manifest: str, namespace: str) -> None:
        """Apply a manifest; what stands after `# then` once the rest is available."""
        await self.driver.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        steps = (_MANIFESTS / f"{manifest}.yaml").read_text(encoding="utf-8").split("# then\n")
        for number, step in enumerate(steps, start=1):
            for obj in yaml.safe_load_all(step):
                await self.driver.apply(ObjectRef.of(obj), obj, manager="kubectl")
            if number < len(steps):
                await self._available(namespace)

    async def _available(self, namespace: str) -> None:
        async with asyncio.timeout(60):
            while True:
                found = await self.driver.list("apps/v1", "Deployment", namespace=namespace)
                if all((one.get("status") or {}).get("availableReplicas") for one in found):
                    return
                await asyncio.sleep(0.1)

    async def shows(self, target: str, namespace: str, cause: str) -> None:
        """Wait until the fault shows, as somebody would who was called."""
        for _ in range(60):
            if (await self.types("analyze", target, "-n", namespace))[1]["cause"] == cause:
                return
            await asyncio.sleep(0.5)


@pytest.fixture
async def user(tmp_path: Path) -> AsyncIterator[User]:
    async with (
        LocalCluster(ClusterOptions(state=tmp_path / "cluster", time_scale=_SCALE)) as cluster,
        connect(KubeOptions(kubeconfig=cluster.kubeconfig)) as driver,
    ):
        yield User(driver, cluster.kubeconfig, tmp_path)


async def test_ordinary_incidents_end_resolved(user: User) -> None:
    ended: dict[str, Any] = {}
    slots = asyncio.Semaphore(_AT_ONCE)

    async def mend(manifest: str, target: str, namespace: str, cause: str) -> None:
        async with slots:
            await user.breaks(manifest, namespace)
            await user.shows(target, namespace, cause)
            status, result, said = await user.types("fix", target, "-n", namespace, "--yes")
            decision = (result.get("verdict") or {}).get("decision")
            ended[manifest] = (status, result.get("phase"), decision, result.get("applied"))
            if status:
                ended[manifest] += (result.get("message"), said[-500:])

    async with asyncio.TaskGroup() as group:
        for manifest, (target, namespace, cause) in _INCIDENTS.items():
            group.create_task(mend(manifest, target, namespace, cause))

    assert ended == dict.fromkeys(_INCIDENTS, (0, "Resolved", "ACCEPT", True))
    for target, namespace, _ in _INCIDENTS.values():
        assert (await user.types("analyze", target, "-n", namespace))[1]["verdict"] == "healthy"
    namespaces = await user.driver.list("v1", "Namespace")
    assert not [one for one in namespaces if one["metadata"]["name"].startswith("aegis-shadow-")]
    assert (await user.types("audit", "verify"))[0] == 0
