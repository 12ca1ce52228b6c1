"""What was tried is what is applied, seen from outside: by a proxy that records what AEGIS really sends."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from recording_proxy import Recording, Request, recording_proxy

from aegis.localcluster.cluster import LocalCluster
from aegis.localcluster.options import ClusterOptions

NAMESPACE = "demo-missing-env"
INCIDENT = Path(__file__).parents[3] / "examples" / "incidents" / "missing-env"
DEPLOYMENT = "/apis/apps/v1/namespaces/{}/deployments/checkout"


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


def without_precondition(request: Request) -> Any:
    """The body but for the precondition, which is the cluster's own version of the object."""
    body = request.json()
    if isinstance(body, dict):
        body["metadata"].pop("resourceVersion", None)
        body["metadata"].pop("uid", None)
    return body


def writes_to(recording: Recording, path: str) -> list[Request]:
    return [request for request in recording.writes() if request.path == path]


@pytest.mark.namespaces
async def test_shadow_and_production_are_written_alike_but_for_the_namespace_and_each_after_its_intention(
    tmp_path: Path,
) -> None:
    async with LocalCluster(ClusterOptions(state=tmp_path / "cluster", time_scale=40)) as cluster:
        await apply(cluster, INCIDENT / "01-good.yaml")
        await until(lambda: available(cluster) == 2)
        await apply(cluster, INCIDENT / "02-broken.yaml")
        await until(lambda: restarts(cluster) > 0)
        async with recording_proxy(cluster.kubeconfig) as recording:
            common = ("--kubeconfig", str(recording.kubeconfig), "-o", "json")
            done = await run("fix", "deploy/checkout", "-n", NAMESPACE, "--yes", *common, state=tmp_path / "state")
            assert done.returncode == 0, done.stderr[-3000:]
            report = json.loads(done.stdout)
        records = [
            json.loads(line)
            for path in (tmp_path / "state").rglob("*.jsonl")
            for line in path.read_text(encoding="utf-8").splitlines()
        ]
        left = [ns["metadata"]["name"] for ns in cluster.api.list("namespaces")]

    assert (report["kind"], report["phase"], report["applied"]) == ("Remediation", "Resolved", True)
    assert not [name for name in left if name.startswith("aegis-shadow-")]

    (production,) = writes_to(recording, DEPLOYMENT.format(NAMESPACE))
    shadows = [
        request
        for request in recording.writes()
        if request.path.endswith("/deployments/checkout")
        and isinstance(request.json(), dict)
        and request is not production
    ]
    assert len(shadows) == 1
    assert shadows[0].path.split("/")[5].startswith("aegis-shadow-")
    assert without_precondition(shadows[0]) == without_precondition(production)
    assert shadows[0].query["fieldManager"] == production.query["fieldManager"]

    in_production = [request for request in recording.writes() if f"/namespaces/{NAMESPACE}/" in request.path]
    leases = [request for request in in_production if "/coordination.k8s.io/v1/" in request.path]
    touched = [request for request in in_production if request not in leases]
    assert touched == [production], "production was touched by nothing but the fix, and the Leases that keep others off"

    intended = [datetime.fromisoformat(record["at"]) for record in records if record["outcome"] == "intended"]
    for index, request in enumerate(recording.writes(), start=1):
        assert sum(at <= request.at for at in intended) >= index, f"{request.method} {request.path} was not announced"
