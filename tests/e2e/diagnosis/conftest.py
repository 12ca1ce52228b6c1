"""One local cluster for all live diagnoses; each manifest gets a namespace of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.diagnosis.engine import diagnose, diagnose_all
from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.evidence.kubernetes import KubernetesEvidence
from aegis.localcluster.cluster import LocalCluster
from aegis.localcluster.options import ClusterOptions
from aegis.model.diagnosis import Diagnosis
from aegis.model.evidence import Evidence
from aegis.model.refs import ObjectRef
from aegis.ports import EvidenceRequest

MANIFESTS = Path(__file__).parent / "manifests"
SCALE = 20.0
_VERSIONS = {"Deployment": "apps/v1", "Service": "v1"}


class Live:
    """A cluster to break things on."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    async def apply(self, namespace: str, manifest: str) -> None:
        """Apply a manifest; what stands after `# then` only once the rest is ready."""
        await self.driver.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        before, _, after = (MANIFESTS / f"{manifest}.yaml").read_text(encoding="utf-8").partition("# then\n")
        await self._apply(namespace, before)
        if after:
            await self._ready(namespace)
            await self._apply(namespace, after)

    async def _apply(self, namespace: str, text: str) -> None:
        for obj in yaml.safe_load_all(text):
            if obj:
                obj["metadata"]["namespace"] = namespace
                await self.driver.apply(ObjectRef.of(obj), obj, manager="kubectl")

    async def _ready(self, namespace: str) -> None:
        async with asyncio.timeout(60):
            while True:
                found = await self.driver.list("apps/v1", "Deployment", namespace=namespace)
                if all((d.get("status") or {}).get("readyReplicas", 0) == d["spec"]["replicas"] for d in found):
                    return
                await asyncio.sleep(0.1)

    async def look(self, namespace: str, target: str) -> tuple[Diagnosis, tuple[Evidence, ...]]:
        """What `aegis analyze` would say now."""
        kind, _, name = target.partition("/")
        ref = ObjectRef(api_version=_VERSIONS[kind], kind=kind, name=name, namespace=namespace)
        request = EvidenceRequest(target=ref, namespaces=(namespace,))
        evidence = tuple(await KubernetesEvidence(self.driver).collect(request))
        return diagnose(evidence, ref, now=datetime.now(UTC), time_scale=SCALE), evidence

    async def all(self, namespace: str) -> tuple[Diagnosis, ...]:
        """What `aegis analyze -n NAMESPACE` would say now."""
        request = EvidenceRequest(target=None, namespaces=(namespace,))
        evidence = await KubernetesEvidence(self.driver).collect(request)
        return diagnose_all(tuple(evidence), now=datetime.now(UTC), time_scale=SCALE)


@asynccontextmanager
async def live_cluster(state: Path) -> AsyncIterator[Live]:
    """A local cluster with a driver."""
    async with (
        LocalCluster(ClusterOptions(state=state, time_scale=SCALE)) as cluster,
        connect(KubeOptions(kubeconfig=cluster.kubeconfig)) as driver,
    ):
        yield Live(driver)


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with live_cluster(tmp_path / "cluster") as found:
        yield found
