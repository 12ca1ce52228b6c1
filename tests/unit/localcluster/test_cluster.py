"""The parts together, in this process."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.errors import Unavailable, UsageError
from aegis.localcluster.cluster import LocalCluster
from aegis.localcluster.kubelet.kubelet import Kubelet
from aegis.localcluster.options import ClusterOptions

DEPLOYMENT = yaml.safe_load("""
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: nginx:1.27
          ports: [{containerPort: 80}]
          readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
""")


async def until(check: Any, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def test_a_deployment_runs_for_real(tmp_path: Path) -> None:
    steps: list[str] = []
    state = tmp_path / "state"
    async with LocalCluster(ClusterOptions(state=state, time_scale=10, nodes=3), progress=steps.append) as cluster:
        assert steps
        assert cluster.kubeconfig.stat().st_mode & 0o777 == 0o600
        cluster.api.create("deployments.apps", DEPLOYMENT, manager="test")

        def available() -> bool:
            web = cluster.api.get("deployments.apps", "default", "web") or {}
            return bool(web.get("status", {}).get("availableReplicas") == 2)

        await until(available)
        nodes = {p["spec"]["nodeName"] for p in cluster.api.list("pods", "default")}
        assert len(nodes) == 2
        assert len(cluster.api.list("nodes")) == 3
        described = cluster.api.get("configmaps", "kube-public", "aegis-local-cluster")
        assert described is not None
        assert described["data"]["timeScale"] == "10"
        assert described["data"]["isolation"] == cluster.info.isolation
        assert cluster.info.version == described["data"]["version"]
        assert cluster.api.get("services", "default", "kubernetes")
    assert not cluster.kubeconfig.exists()
    assert not (state / "pods").exists()


DAEMONS = yaml.safe_load("""
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: default}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: c, image: "busybox:1.36", command: [sleep, "3600"]}]
""")


@pytest.mark.parametrize("nodes", [1, 3, 5])
async def test_every_node_runs_its_daemon(tmp_path: Path, nodes: int) -> None:
    async with LocalCluster(ClusterOptions(state=tmp_path / "state", time_scale=10, nodes=nodes)) as cluster:
        cluster.api.create("daemonsets.apps", DAEMONS, manager="test")

        def ready() -> bool:
            agents = cluster.api.get("daemonsets.apps", "default", "agent") or {}
            return bool(agents.get("status", {}).get("numberReady") == nodes)

        await until(ready)
        names = {n["metadata"]["name"] for n in cluster.api.list("nodes")}
        assert len(names) == nodes
        assert {p["spec"]["nodeName"] for p in cluster.api.list("pods", "default")} == names
        leases = cluster.api.list("leases.coordination.k8s.io", "kube-node-lease")
        assert {lease["spec"]["holderIdentity"] for lease in leases} == names


async def test_the_context_ends_with_the_error_of_its_body(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with LocalCluster(ClusterOptions(state=tmp_path / "state")):
            raise KeyError("mine")


async def test_a_part_that_fails_ends_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(self: Kubelet) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(Kubelet, "run", failing)
    with pytest.raises(Unavailable, match="no more processes"):
        async with LocalCluster(ClusterOptions(state=tmp_path / "state")):
            pass


async def test_images_that_cannot_be_read_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "odd.yaml").write_text("reference: [")
    with pytest.raises(UsageError, match="images"):
        async with LocalCluster(ClusterOptions(state=tmp_path / "state", images=(tmp_path / "images",))):
            pass
