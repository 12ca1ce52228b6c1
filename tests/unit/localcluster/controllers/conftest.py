"""Controllers over the real store, with a hand in place of the kubelet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest

from aegis.localcluster.api import ClusterApi, Object, Pace
from aegis.localcluster.apiserver.server import ApiServer
from aegis.localcluster.controllers.loop import Controller, run
from aegis.localcluster.controllers.manager import Facts, controllers
from aegis.localcluster.controllers.objects import timestamp
from aegis.localcluster.controllers.ownservice import Door

Found = TypeVar("Found")
DOOR = Door(service_ip="10.96.0.1", address="172.18.0.2", port=6443)


class Cluster:
    """The API server's door, the controllers, and what a test does by hand."""

    def __init__(self, api: ClusterApi, pace: Pace) -> None:
        self.api, self.pace = api, pace

    @asynccontextmanager
    async def running(self, *only: type) -> AsyncIterator[None]:
        facts = Facts(pace=self.pace, ca_pem="-----CA-----", door=DOOR)
        chosen: list[Controller] = [c for c in controllers(self.api, facts) if not only or isinstance(c, only)]
        async with asyncio.TaskGroup() as tasks:
            mine = [tasks.create_task(run(c, self.api, self.pace)) for c in chosen]
            try:
                yield
            finally:
                for task in mine:
                    task.cancel()

    async def expect(self, check: Callable[[], Found], seconds: float = 5.0) -> Found:
        end = time.monotonic() + seconds
        while True:
            found = check()
            if found:
                return found
            assert time.monotonic() < end, f"still {found!r}"
            await asyncio.sleep(0.005)

    async def quiet(self) -> None:
        """Let everything that can happen now happen."""
        for _ in range(100):
            await asyncio.sleep(0)

    def node(self, name: str = "n1", **spec: Any) -> Object:
        room = {"cpu": spec.pop("cpu", "4"), "memory": spec.pop("memory", "8Gi"), "pods": spec.pop("pods", "110")}
        labels = {"kubernetes.io/hostname": name, **spec.pop("labels", {})}
        obj = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": labels},
            "spec": spec,
            "status": {"allocatable": room, "capacity": room},
        }
        return self.api.create("nodes", obj, manager="test")

    def pods(self, namespace: str = "default") -> list[Object]:
        return list(self.api.list("pods", namespace))

    def make_ready(self, pod: Object, address: str = "10.1.0.1", *, ready: bool = True) -> None:
        stored = self.api.get("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
        assert stored is not None
        kept = [c for c in stored["status"].get("conditions") or () if c["type"] != "Ready"]
        turned = {"type": "Ready", "status": str(ready), "lastTransitionTime": timestamp()}
        status = {**stored["status"], "phase": "Running", "podIP": address, "conditions": [*kept, turned]}
        self.api.update_status("pods", {**stored, "status": status}, manager="kubelet")

    def make_all_ready(self) -> bool:
        """What a kubelet would do: run what is bound, remove what is going."""
        for number, pod in enumerate(self.pods()):
            namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
            if pod["metadata"].get("deletionTimestamp"):
                self.api.delete("pods", namespace, name, grace_seconds=0)
            elif (pod.get("status") or {}).get("phase") != "Running":
                self.make_ready(pod, f"10.1.0.{number + 1}")
        return True

    def messages(self, reason: str) -> list[str]:
        return [e["message"] for e in self.api.list("events") if e["reason"] == reason]


def deployment(name: str = "web", replicas: int = 2, image: str = "nginx:1.27", **spec: Any) -> Object:
    """A Deployment with one container."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            **spec,
        },
    }


def pod(name: str, **spec: Any) -> Object:
    """A pod with one container."""
    labels = spec.pop("labels", {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": spec.pop("namespace", "default"), "labels": labels},
        "spec": {"containers": [{"name": "c", "image": "busybox:1.36", **spec.pop("container", {})}], **spec},
    }


@pytest.fixture
def pace() -> Pace:
    return Pace()


@pytest.fixture
def cluster(pace: Pace) -> Cluster:
    return Cluster(ApiServer().api, pace)


@pytest.fixture
def make_deployment() -> Callable[..., Object]:
    return deployment


@pytest.fixture
def make_pod() -> Callable[..., Object]:
    return pod
