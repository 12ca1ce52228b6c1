"""A real kubelet beside a real API server, for tests that need user namespaces."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from aegis.localcluster.api import ClusterApi, LogRequest, Object, Pace
from aegis.localcluster.apiserver.server import ApiServer
from aegis.localcluster.kubelet.images.registry import Registry
from aegis.localcluster.kubelet.kubelet import Kubelet
from aegis.localcluster.kubelet.node import NodeSpec
from aegis.localcluster.kubelet.runtime import start_runtime
from aegis.localcluster.kubelet.sandbox.channel import SandboxError


@cache
def _refused() -> str | None:
    async def try_it() -> None:
        with TemporaryDirectory() as folder:
            runtime, _ = await start_runtime(Path(folder), "namespaces", ["172.18.0.2"])
            await runtime.stop()

    try:
        asyncio.run(try_it())
    except SandboxError as error:
        return str(error)
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("namespaces") and (why := _refused()):
        pytest.skip(f"this machine refuses the namespaces that pods need: {why}")


class Bench:
    """A running kubelet and short ways to ask about its pods."""

    def __init__(self, api: ClusterApi, kubelet: Kubelet) -> None:
        self.api, self.kubelet = api, kubelet

    def create(self, name: str, *, labels: dict[str, str] | None = None, **spec: Any) -> Object:
        metadata = {"name": name, "namespace": "default", "labels": labels or {}}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": "node-1", **spec}}
        return self.api.create("pods", pod, manager="test")

    def pod(self, name: str) -> Object:
        found = self.api.get("pods", "default", name)
        assert found is not None, f"pod {name} is gone"
        return found

    def container(self, name: str) -> dict[str, Any]:
        statuses = (self.pod(name).get("status") or {}).get("containerStatuses")
        return dict(statuses[0]) if statuses else {}

    async def until(self, holds: Callable[[], Any], seconds: float = 15) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := holds():
                return found
            await asyncio.sleep(0.01)
        raise AssertionError(
            f"not within {seconds} s; pods: {[(p['metadata']['name'], p['status']) for p in self.api.list('pods')]}"
        )

    async def phase(self, name: str, *wanted: str) -> Object:
        await self.until(lambda: self.pod(name)["status"].get("phase") in wanted)
        return self.pod(name)

    async def ready(self, name: str) -> Object:
        await self.until(lambda: self.container(name).get("ready"))
        return self.pod(name)

    async def output(self, name: str, *, container: str = "app", previous: bool = False) -> str:
        request = LogRequest(previous=previous)
        return b"".join([piece async for piece in self.kubelet.logs(self.pod(name), container, request)]).decode()

    async def ran(self, name: str, script: str, *, image: str = "busybox:1.36", **more: Any) -> str:
        """What a shell script prints in a pod of its own."""
        pod = {key: more.pop(key) for key in ("volumes", "securityContext", "initContainers") if key in more}
        container = {"name": "app", "image": image, "command": ["sh", "-c", script], **more}
        self.create(name, restartPolicy="Never", containers=[container], **pod)
        await self.phase(name, "Succeeded", "Failed")
        return await self.output(name)

    def events(self, name: str) -> list[tuple[str, str]]:
        return [
            (event["reason"], event["message"])
            for event in self.api.list("events", "default")
            if event["involvedObject"]["name"] == name
        ]


@asynccontextmanager
async def running(state: Path, scale: float = 20, **more: Any) -> AsyncIterator[Bench]:
    api = ApiServer().api
    nodes = [NodeSpec(name="node-1"), NodeSpec(name="node-2")]
    kubelet = Kubelet(api=api, nodes=nodes, registry=Registry.standard(), pace=Pace(scale=scale), state=state, **more)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(kubelet.run())
        await kubelet.started.wait()
        try:
            yield Bench(api, kubelet)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with running(tmp_path) as made:
        yield made


@pytest.fixture
def make_bench(tmp_path: Path) -> Callable[..., Any]:
    return lambda **more: running(tmp_path, **more)
