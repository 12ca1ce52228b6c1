from __future__ import annotations

import asyncio
import json
import os
import socket
from typing import Any

import pytest

from aegis.localcluster.kubelet.pods.watching import ContainerWatch, Watch, subject
from aegis.localcluster.kubelet.sandbox.launch import Launch, Root, VolumeMount

POD = {
    "metadata": {"namespace": "shop", "name": "checkout-0"},
    "spec": {
        "nodeName": "node-1",
        "volumes": [{"name": "config", "configMap": {"name": "c"}}, {"name": "data", "emptyDir": {}}],
    },
}
MOUNTS = (VolumeMount(volume="config", path="/conf/"), VolumeMount(volume="data", path="/data"))
LAUNCH = Launch(key="app.1", argv=("app",), env={}, root=Root(mounts=MOUNTS))


@pytest.fixture
async def watch() -> Any:
    made = Watch()
    yield made
    made.close()


@pytest.fixture
async def reader(watch: Watch) -> Any:
    with socket.socket(fileno=watch.read("node-1")) as made:
        made.settimeout(0)
        yield made


def note(watch: Watch, number: int, node: str = "node-1") -> None:
    watch.note({"event": "alert", "node": node, "alert": {"number": number, "padding": "x" * 1000}}, [])


async def received(reader: socket.socket) -> list[dict[str, Any]]:
    """All that comes until nothing more does."""
    found: list[dict[str, Any]] = []
    for _ in range(5):
        try:
            while message := reader.recv(1 << 20):
                found.append(json.loads(message))
        except BlockingIOError:
            await asyncio.sleep(0.01)
    return found


@pytest.mark.parametrize(
    ("image", "repository", "tag"),
    [
        ("nginx", "docker.io/library/nginx", "latest"),
        ("registry.local:5000/shop/checkout:1.4", "registry.local:5000/shop/checkout", "1.4"),
        ("quay.io/a/b@sha256:" + "0" * 64, "quay.io/a/b", ""),
    ],
)
def test_what_alerts_say_of_an_image(image: str, repository: str, tag: str) -> None:
    said = subject(POD, {"name": "app", "image": image}, "containerd://" + "ab" * 32, LAUNCH, single_user=False)
    assert (said.repository, said.tag) == (repository, tag)
    assert (said.node, said.namespace, said.pod, said.container) == ("node-1", "shop", "checkout-0", "app")
    assert said.container_id == "ab" * 32
    assert said.shown == ("/conf",)


async def test_alerts_of_the_node_and_no_others(watch: Watch, reader: socket.socket) -> None:
    note(watch, 1)
    note(watch, 2, "node-2")
    note(watch, 3)
    assert [message["number"] for message in await received(reader)] == [1, 3]


async def test_who_does_not_keep_up_is_told_how_much_was_lost(watch: Watch, reader: socket.socket) -> None:
    for number in range(5000):
        note(watch, number)
    first: list[int] = []
    last: list[int] = []
    while not last:
        messages = await received(reader)
        last = [message["dropped"] for message in messages if "dropped" in message]
        first += [message["number"] for message in messages if "number" in message]
    assert first == list(range(len(first)))
    assert last == [5000 - len(first)]
    note(watch, 5000)
    assert [message["number"] for message in await received(reader)] == [5000]


async def test_what_the_sentry_lost_is_told_at_once(watch: Watch, reader: socket.socket) -> None:
    watch.note({"event": "lost", "node": "node-1", "count": 7}, [])
    watch.note({"event": "lost", "node": "node-2", "count": 8}, [])
    assert await received(reader) == [{"dropped": 7}]


async def test_a_reader_that_goes_away(watch: Watch) -> None:
    os.close(watch.read("node-1"))
    with socket.socket(fileno=watch.read("node-1")) as other:
        other.settimeout(0)
        note(watch, 1)
        assert len(await received(other)) == 1


async def test_a_sensor_reads_and_is_not_watched(watch: Watch) -> None:
    said = subject(POD, {"name": "app", "image": "falco"}, "containerd://a", LAUNCH, single_user=False)
    sensor = ContainerWatch(watch, said, sensor=True)
    read, *rest = await sensor.descriptors([100, 101, 102], joined=False)
    with socket.socket(fileno=read) as mine:
        note(watch, 1)
        assert json.loads(mine.recv(1 << 20))["number"] == 1
    assert rest == [101, 102]
    assert await sensor.descriptors([100, 101, 102], joined=True) == [100, 101, 102]
