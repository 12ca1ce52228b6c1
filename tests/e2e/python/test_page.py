"""The page for Python: every program on it runs as it stands, and prints what stands below it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import fake_kubesec
import pytest
import trivy_of_images
import yaml

from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.localcluster.cluster import LocalCluster
from aegis.localcluster.options import ClusterOptions
from aegis.model.refs import ObjectRef

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(180)]

PAGE = Path(__file__).parents[3] / "docs" / "python.md"
PROGRAM = re.compile(r"^```python\n(.*?)^```\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCALE = 60.0

PRIVILEGED = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: "nginx:1.27", securityContext: {privileged: true}}
"""

SHOP = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: nginx:1.27
          ports: [{containerPort: 80}]
          env: [{name: MODE, value: test}]
          readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 2}
          resources: {requests: {cpu: 20m, memory: 32Mi}, limits: {memory: 128Mi}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where a program runs, and with what."""

    folder: Path
    env: dict[str, str]

    async def run(self, program: str) -> str:
        file = self.folder / "program.py"
        file.write_text(program, encoding="utf-8")
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", str(file), cwd=self.folder, env=self.env,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            out, err = await child.communicate()
        finally:
            if child.returncode is None:
                child.kill()
        assert child.returncode == 0, err.decode()
        return out.decode()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A folder with a manifest, and a Kubesec and a Trivy on PATH."""
    folder, tools = tmp_path / "work", tmp_path / "bin"
    folder.mkdir()
    (folder / "web.yaml").write_text(PRIVILEGED, encoding="utf-8")
    known = {"shop/web:2": [("CVE-2026-1", "zlib1g", "HIGH"), ("CVE-2026-2", "bash", "CRITICAL")]}
    trivy_of_images.install(tools, known)
    fake_kubesec.install(tools)
    env = {
        "PATH": f"{tools}{os.pathsep}{os.defpath}",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "KUBECONFIG": str(tmp_path / "nowhere"),
        "AEGIS_SECURITY__SEMGREP_ENABLED": "false",
        "AEGIS_VERIFICATION__LOAD_REQUESTS": "0",
    }
    return Desk(folder=folder, env=env)


@pytest.fixture
async def shop(desk: Desk, tmp_path: Path) -> AsyncIterator[Desk]:
    """The same with a cluster, watched by Falco, on which the shop runs."""
    options = ClusterOptions(state=tmp_path / "cluster", time_scale=SCALE, falco=True)
    async with LocalCluster(options) as local, connect(KubeOptions(kubeconfig=local.kubeconfig)) as driver:
        for obj in yaml.safe_load_all(SHOP):
            await driver.apply(ObjectRef.of(obj), obj, manager="kubectl")
        web = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
        async with asyncio.timeout(60):
            while not ((await driver.get(web)).get("status") or {}).get("readyReplicas"):  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.1)
        yield Desk(folder=desk.folder, env={**desk.env, "KUBECONFIG": str(local.kubeconfig)})


def programs(*, on_a_cluster: bool) -> list[tuple[str, str]]:
    found = [(match[1], match[2]) for match in PROGRAM.finditer(PAGE.read_text(encoding="utf-8"))]
    return [one for one in found if ("falco" in one[0] or "shadow" in one[0]) is on_a_cluster]


def test_every_program_of_the_page_is_run() -> None:
    shown = PAGE.read_text(encoding="utf-8").count("```python")
    assert shown == len(programs(on_a_cluster=True)) + len(programs(on_a_cluster=False))
    assert len(programs(on_a_cluster=True)) >= 2


@pytest.mark.parametrize(("program", "printed"), programs(on_a_cluster=False))
async def test_without_a_cluster(desk: Desk, program: str, printed: str) -> None:
    assert await desk.run(program) == printed


async def test_on_a_cluster(shop: Desk) -> None:
    for program, printed in programs(on_a_cluster=True):
        assert await shop.run(program) == printed
