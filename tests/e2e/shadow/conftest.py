"""A real local cluster, the real driver and the real actuator, for trials that take seconds instead of minutes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.actuator import ClusterActuator, Rules
from aegis.diagnosis.lastgood import last_good
from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.localcluster.cluster import LocalCluster
from aegis.localcluster.options import ClusterOptions
from aegis.model.changes import Apply, Change, ChangeSet, Fix, JsonPatch, Risk
from aegis.model.refs import JsonObject, ObjectRef
from aegis.ports import Cluster
from aegis.shadow.tools import SecurityRules, TrialLimits, TrialTools
from aegis.shadow.trial import TrialRequest, TrialResult, run_trial
from aegis.stores.audit import FileAuditLog
from aegis.stores.mode import FileMode

SCALE = 60.0
"""A minute takes a second."""

TOOLS = frozenset({"kubesec", "semgrep", "trivy"})
"""Switched off, so that a trial does not depend on what is installed here; their own tests switch them on."""

EXAMPLES = Path(__file__).parents[3] / "examples" / "incidents"


@dataclass(slots=True, kw_only=True)
class World:
    """One cluster, and what a trial needs of it."""

    driver: Any
    tools: TrialTools
    said: list[str] = field(default_factory=list)

    async def apply(self, *files: Path) -> None:
        """What `kubectl apply --server-side` does."""
        for file in files:
            for obj in yaml.safe_load_all(file.read_text(encoding="utf-8")):
                await self.driver.apply(ObjectRef.of(obj), obj, manager="kubectl")

    async def incident(self, name: str) -> None:
        """An example's past and present, until it shows."""
        files = sorted((EXAMPLES / name).glob("0*.yaml"))
        for file in files[:-1]:
            await self.apply(file)
            await self.until(self.ready(f"demo-{name}"))
        await self.apply(files[-1])

    async def until(self, condition: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110 - what is waited for is in another process
                await asyncio.sleep(0.1)

    def ready(self, namespace: str) -> Callable[[], Awaitable[bool]]:
        async def check() -> bool:
            found = await self.driver.list("apps/v1", "Deployment", namespace=namespace)
            return all((one.get("status") or {}).get("readyReplicas") == one["spec"]["replicas"] for one in found)

        return check

    def restarted(self, namespace: str) -> Callable[[], Awaitable[bool]]:
        async def check() -> bool:
            pods = await self.driver.list("v1", "Pod", namespace=namespace)
            statuses = [one for pod in pods for one in (pod.get("status") or {}).get("containerStatuses") or []]
            return any(one["restartCount"] >= 1 for one in statuses)

        return check

    async def shadows(self) -> list[str]:
        """The namespaces of trials that are there."""
        found = await self.driver.list("v1", "Namespace", labels="aegis.io/shadow")
        return [one["metadata"]["name"] for one in found]

    async def try_fix(self, target: ObjectRef, *changes: Change, shadow_id: str = "t1", **options: Any) -> TrialResult:
        """One trial, from its beginning to its end."""
        return await run_trial(request(target, *changes, shadow_id=shadow_id, **options), self.tools)

    def limited(self, **limits: Any) -> TrialTools:
        """The tools with other limits."""
        return replace(self.tools, limits=replace(self.tools.limits, **limits))


def request(target: ObjectRef, *changes: Change, shadow_id: str = "t1", **options: Any) -> TrialRequest:
    change_set = ChangeSet(target=target, target_uid="", base_generation=0, spec_hash="", changes=changes)
    fix = Fix(id="given", summary="given", change_set=change_set, risk=Risk.LOW)
    return TrialRequest(incident="inc-test", shadow_id=shadow_id, target=target, fix=fix, **options)


def deployment(name: str, namespace: str) -> ObjectRef:
    return ObjectRef(api_version="apps/v1", kind="Deployment", name=name, namespace=namespace)


def service(name: str, namespace: str) -> ObjectRef:
    return ObjectRef(api_version="v1", kind="Service", name=name, namespace=namespace)


def container(target: ObjectRef, **fields: Any) -> Change:
    """A change of the container that is called as its workload."""
    spec = {"containers": [{"name": target.name, **fields}]}
    return Apply(target=target, patch={"spec": {"template": {"spec": spec}}})


def patched(target: ObjectRef, *operations: JsonObject) -> Change:
    return JsonPatch(target=target, patch=operations)


@pytest.fixture
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A cluster of two nodes; its parameter, where it has one, is whether Falco watches it."""
    options = ClusterOptions(state=tmp_path / "cluster", time_scale=SCALE, falco=getattr(request, "param", False))
    async with LocalCluster(options) as local, connect(KubeOptions(kubeconfig=local.kubeconfig)) as driver:
        cluster: Cluster = await driver.cluster()
        actuator = ClusterActuator(
            reader=driver,
            writer=driver,
            audit=FileAuditLog(tmp_path / "audit", anchor=tmp_path / "anchor"),
            mode=FileMode(tmp_path),
            rules=Rules(gitops_owner=lambda _: None),
            actor=await driver.whoami(),
        )
        said: list[str] = []

        def say(message: str, /, **_facts: object) -> None:
            said.append(message)

        tools = TrialTools(
            reader=driver,
            actuator=actuator,
            progress=say,
            cluster=cluster,
            limits=TrialLimits(security=SecurityRules(off=TOOLS)),
            last_good=last_good,
        )
        yield World(driver=driver, tools=tools, said=said)


@pytest.fixture
def refs() -> Any:
    """How to name things and changes; fixtures are how tests of one folder share code."""

    class Names:
        deployment = staticmethod(deployment)
        service = staticmethod(service)
        container = staticmethod(container)
        patched = staticmethod(patched)
        request = staticmethod(request)

    return Names
