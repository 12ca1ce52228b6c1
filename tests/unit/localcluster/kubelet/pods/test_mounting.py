"""Volumes kept up to date."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from aegis.localcluster.kubelet.pods.host import Host
from aegis.localcluster.kubelet.pods.mounting import Mounter
from aegis.localcluster.kubelet.sandbox.channel import SandboxError
from aegis.localcluster.kubelet.sandbox.client import Sandbox

TOKEN = {"serviceAccountToken": {"path": "token", "expirationSeconds": 1000}}


class Recorded:
    """A sandbox that only notes what is written to it."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.refuses = False

    async def write_volume(self, name: str, files: Any, *, gid: int | None = None) -> None:
        if self.refuses:
            raise SandboxError("no space")
        self.written.append(name)

    async def make_volume(self, name: str, **more: Any) -> None:
        self.written.append(f"{name} {more['size']}")


class Scene:
    def __init__(self) -> None:
        self.now, self.tokens, self.data = 0.0, 0, {"a": "1"}
        self.sandbox = Recorded()
        host = SimpleNamespace(clock=lambda: self.now, token=self.token, sandboxes=SimpleNamespace(map_users=False))
        self.mounter = Mounter(cast("Host", host), cast("Sandbox", self.sandbox), self.lookup)

    def token(self, _pod: Any, _audience: str, _seconds: int) -> str:
        self.tokens += 1
        return f"token {self.tokens}"

    def lookup(self, resource: str, name: str) -> Any:
        return {"kind": "ConfigMap", "data": self.data} if (resource, name) == ("configmaps", "cm") else None

    async def set_up(self, **volume: Any) -> list[str]:
        metadata = {"name": "p", "namespace": "ns", "uid": "u"}
        return await self.mounter.set_up({
            "metadata": metadata,
            "spec": {"volumes": [{"name": "v", **volume}], "containers": []},
        })


async def test_only_what_changed_is_written_again() -> None:
    scene = Scene()
    for _ in range(3):
        assert await scene.set_up(configMap={"name": "cm"}) == []
    assert scene.sandbox.written == ["v"]
    scene.data = {"a": "2"}
    await scene.set_up(configMap={"name": "cm"})
    assert scene.sandbox.written == ["v", "v"]


async def test_a_token_is_renewed_when_most_of_its_time_is_over() -> None:
    scene = Scene()
    for moment in (0, 100, 799, 800, 900):
        scene.now = moment
        await scene.set_up(projected={"sources": [TOKEN]})
    assert (scene.tokens, scene.sandbox.written) == (2, ["v", "v"])


async def test_faults_are_told_until_the_volume_was_there_once() -> None:
    scene = Scene()
    assert await scene.set_up(configMap={"name": "gone"}) == [
        'MountVolume.SetUp failed for volume "v" : configmap "gone" not found'
    ]
    scene.sandbox.refuses = True
    assert await scene.set_up(configMap={"name": "cm"}) == ['MountVolume.SetUp failed for volume "v" : no space']
    scene.sandbox.refuses = False
    assert await scene.set_up(configMap={"name": "cm"}) == []
    assert await scene.set_up(configMap={"name": "gone"}) == []


async def test_an_empty_volume_is_made_once() -> None:
    scene = Scene()
    await scene.set_up(emptyDir={"sizeLimit": "1Ki"})
    await scene.set_up(emptyDir={"sizeLimit": "1Ki"})
    assert scene.sandbox.written == ["v 1024"]
