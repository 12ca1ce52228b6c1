"""A real kubelet beside a real API server, for tests that need user namespaces."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
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
from aegis.localcluster.kubelet.kubelet import Kubelet, Mode
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

    async def until(self, holds: Callable[[], Any], seconds: float = 40) -> Any:
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

    async def said(self, name: str, end: str) -> str:
        """Its output, once it ends so."""
        out = ""
        for _ in range(2000):
            if (out := await self.output(name)).endswith(end):
                return out
            await asyncio.sleep(0.02)
        raise AssertionError(f"pod {name} said only {out!r}")

    def events(self, name: str) -> list[tuple[str, str]]:
        return [
            (event["reason"], event["message"])
            for event in self.api.list("events", "default")
            if event["involvedObject"]["name"] == name
        ]


@asynccontextmanager
async def running(state: Path, scale: float = 20, mode: Mode = "namespaces", **more: Any) -> AsyncIterator[Bench]:
    api = ApiServer().api
    nodes = [NodeSpec(name="node-1"), NodeSpec(name="node-2")]
    kubelet = Kubelet(
        api=api, nodes=nodes, registry=Registry.standard(), pace=Pace(scale=scale), state=state, mode=mode, **more
    )
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


_CLUSTER = """
import asyncio, sys
from pathlib import Path
from aegis.localcluster.api import Pace
from aegis.localcluster.apiserver.server import ApiServer
from aegis.localcluster.kubelet.images.registry import Registry
from aegis.localcluster.kubelet.kubelet import Kubelet, Mode
from aegis.localcluster.kubelet.node import NodeSpec

async def main():
    api, mode = ApiServer().api, sys.argv[3]
    kubelet = Kubelet(api=api, nodes=[NodeSpec(name="n")], registry=Registry.standard(), pace=Pace(), state=Path(sys.argv[1]), mode=mode)
    script = f"(setsid sleep {sys.argv[2]} &); sleep {sys.argv[2]}"
    api.create("pods", {"metadata": {"name": "p", "namespace": "default"}, "spec": {"nodeName": "n", "containers": [
        {"name": "c", "image": "busybox:1.36", "command": ["sh", "-c", script]}]}}, manager="test")
    asyncio.get_running_loop().call_later(30, sys.exit)
    await kubelet.run()

asyncio.run(main())
"""


def _processes(word: str) -> list[int]:
    return [int(process.name) for process in Path("/proc").iterdir() if word.encode() in _command_line(process)]


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes() if process.name.isdigit() else b""
    except OSError:
        return b""


async def _kill_and_look(tmp_path: Path, mode: str, seconds: str) -> None:
    before = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    cluster = await asyncio.create_subprocess_exec(sys.executable, "-c", _CLUSTER, str(tmp_path), seconds, mode)
    try:
        deadline = time.monotonic() + 20
        while len(_processes(f"sleep\0{seconds}")) < 2:
            assert time.monotonic() < deadline, "the pod did not start"
            assert cluster.returncode is None
            await asyncio.sleep(0.02)
    finally:
        os.kill(cluster.pid, signal.SIGKILL)
        await cluster.wait()
    deadline = time.monotonic() + 5
    while left := _processes(seconds) + _processes(f"\0{cluster.pid}\0"):
        assert time.monotonic() < deadline, f"left behind: {left}"
        await asyncio.sleep(0.02)
    assert Path("/proc/self/mountinfo").read_text(encoding="utf-8") == before
    assert not [
        line for line in Path("/proc/1/mountinfo").read_text(encoding="utf-8").splitlines() if str(tmp_path) in line
    ]
    assert not list((tmp_path / "pods").rglob("*"))


@pytest.fixture
def processes() -> Callable[[str], list[int]]:
    """The processes of this machine with a word in their command line."""
    return _processes


@pytest.fixture
def kill_and_look(tmp_path: Path) -> Callable[[str, str], Any]:
    """Kill a cluster with a running pod, and see that nothing of it is left."""
    return lambda mode, seconds: _kill_and_look(tmp_path, mode, seconds)
