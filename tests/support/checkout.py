"""The example of the missing variable on a cluster in this process, and the command line as a user runs it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from aegis.localcluster.cluster import LocalCluster
from aegis.localcluster.options import ClusterOptions

NAMESPACE = "demo-missing-env"
INCIDENT = Path(__file__).parents[2] / "examples" / "incidents" / "missing-env"


async def run(*argv: str, state: Path, seconds: float = 150) -> subprocess.CompletedProcess[str]:
    """The command line as a user runs it, with a state folder of the test's own."""
    env = {**os.environ, "XDG_STATE_HOME": str(state), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "aegis.interfaces.cli.main", *argv]
    return await asyncio.to_thread(
        subprocess.run, command, env=env, capture_output=True, text=True, timeout=seconds, check=False
    )


async def apply(cluster: LocalCluster, manifest: Path) -> None:
    for obj in yaml.safe_load_all(manifest.read_text(encoding="utf-8")):
        resource = {"Deployment": "deployments.apps"}.get(obj["kind"], obj["kind"].lower() + "s")
        metadata = obj["metadata"]
        known = cluster.api.get(resource, metadata.get("namespace"), metadata["name"])
        if known is None:
            cluster.api.create(resource, obj, manager="test")
        else:
            cluster.api.update(resource, obj, manager="test")


async def until(holds: Any, seconds: float = 20) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, "it did not come to hold in time"
        await asyncio.sleep(0.1)


def restarts(cluster: LocalCluster) -> int:
    statuses = [
        status
        for pod in cluster.api.list("pods", NAMESPACE)
        for status in (pod.get("status") or {}).get("containerStatuses") or []
    ]
    return sum(status.get("restartCount", 0) for status in statuses)


def available(cluster: LocalCluster) -> int:
    deployment = cluster.api.get("deployments.apps", NAMESPACE, "checkout") or {}
    return int((deployment.get("status") or {}).get("availableReplicas") or 0)


@asynccontextmanager
async def broken_checkout(folder: Path, *, time_scale: float = 40) -> AsyncIterator[LocalCluster]:
    """A cluster whose checkout was good, lost a variable, and crashes."""
    async with LocalCluster(ClusterOptions(state=folder, time_scale=time_scale)) as cluster:
        await apply(cluster, INCIDENT / "01-good.yaml")
        await until(lambda: available(cluster) == 2)
        await apply(cluster, INCIDENT / "02-broken.yaml")
        await until(lambda: restarts(cluster) > 0)
        yield cluster
