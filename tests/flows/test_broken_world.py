"""An API server that misbehaves, and objects that do: a clear outcome, one line, no traceback, and bounded memory.

The real command line, in processes of its own; a proxy in front of a real API server breaks what passes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from flow_world import api_server
from kill_world import Actors, Ended, deployment
from recording_proxy import Recording, recording_proxy

from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.drivers.kubernetes.driver import KubernetesDriver

pytestmark = pytest.mark.timeout(300)

MIB = 1 << 20
Answer = Callable[[web.Request], Awaitable[web.StreamResponse | None]]

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "web-1",
        "namespace": "shop",
        "uid": "11111111-1111-1111-1111-111111111111",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "resourceVersion": "7",
    },
    "spec": {"containers": [{"name": "web", "image": "busybox:1.36"}]},
    "status": {
        "phase": "Running",
        "containerStatuses": [
            {
                "name": "web",
                "image": "busybox:1.36",
                "ready": False,
                "restartCount": 9,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-01T00:01:00Z"}},
            }
        ],
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where the command lines are given."""

    driver: KubernetesDriver
    recording: Recording
    actors: Actors
    folder: Path

    async def workload(self, namespace: str) -> None:
        await self.driver.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        await self.driver.create(deployment(namespace, "busybox:1.36"))

    async def run(self, *words: str, seconds: float = 60) -> Ended:
        arguments = [*words, "--kubeconfig", str(self.recording.kubeconfig)]
        return await (await self.actors.start(arguments, self.folder)).ended(seconds)


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with api_server(tmp_path) as kubeconfig, connect(KubeOptions(kubeconfig=kubeconfig)) as driver:
        (tmp_path / "acts").mkdir()
        async with recording_proxy(kubeconfig) as recording, Actors(tmp_path / "acts").ready() as actors:
            found = Desk(driver=driver, recording=recording, actors=actors, folder=tmp_path)
            await found.workload("shop")
            yield found


def is_list(request: web.Request, what: str = "pods") -> bool:
    return request.method == "GET" and request.path.endswith(f"/{what}")


def on_list(answer: Answer, what: str = "pods") -> Answer:
    async def chosen(request: web.Request) -> web.StreamResponse | None:
        return await answer(request) if is_list(request, what) else None

    return chosen


def status(code: int, *, headers: dict[str, str] | None = None) -> Answer:
    async def answered(_: web.Request) -> web.StreamResponse:
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "as the test wants", "code": code}
        return web.json_response(body, status=code, headers=headers)

    return answered


def body(content: bytes, kind: str = "application/json") -> Answer:
    async def answered(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content, content_type=kind)

    return answered


def once(answer: Answer) -> Answer:
    left = [answer]

    async def answered(request: web.Request) -> web.StreamResponse | None:
        return await left.pop()(request) if left else None

    return answered


async def cut_short(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"kind": "PodList", "items": [')
    assert request.transport is not None
    request.transport.close()
    return response


async def closed(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def silent(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


def clear(ended: Ended) -> str:
    """What is wrong about how it ended, whatever it was; empty where nothing is."""
    known = ended.status in {0, 1, 2, 3, 4, 69, 77}
    errors = [line for line in ended.err.splitlines() if line.startswith("aegis: ")]
    one_line = not errors if ended.status in {0, 1, 3} else len(errors) == 1
    calm = "Traceback" not in ended.err and "Unclosed" not in ended.err and "defect" not in ended.err
    return "" if known and one_line and calm else f"{ended.status}: {ended.err[-1500:]}"


BROKEN: list[tuple[str, Answer, set[int]]] = [
    ("429 once", once(status(429, headers={"Retry-After": "1"})), {0, 1, 3}),
    ("429 for ever", status(429, headers={"Retry-After": "3600"}), {69}),
    ("500 once", once(status(500)), {0, 1, 3}),
    ("500 for ever", status(500), {69}),
    ("503 for ever", status(503), {69}),
    ("404", status(404), {0, 1, 3}),
    ("410 once", once(status(410)), {0, 1, 3}),
    ("410 for ever", status(410), {69}),
    ("a redirect", status(302, headers={"Location": "https://127.0.0.1:1/"}), {2, 69}),
    ("no JSON", body(b"<html>a proxy's page</html>"), {69}),
    ("another type", body(b"<html>a proxy's page</html>", "text/html"), {69}),
    ("no object", body(b"[]"), {69}),
    ("a null", body(b"null"), {69}),
    ("no items", body(b'{"kind": "PodList", "items": null}'), {0, 1, 3, 69}),
    ("items that are none", body(b'{"kind": "PodList", "items": [1, null, "x", []]}'), {0, 1, 3, 69}),
    ("nested for ever", body(b"[" * 200_000), {69}),
    ("binary", body(bytes(range(256)) * 64), {69}),
    ("cut short", cut_short, {69}),
    ("closed", closed, {69}),
    ("silent", silent, {69}),
]


async def test_a_server_that_misbehaves_ends_it_with_one_line_in_good_time(desk: Desk) -> None:
    """Each in a namespace of its own, by which the proxy knows which one is asked about."""
    gate, found = asyncio.Semaphore(5), [""]

    async def broken(request: web.Request) -> web.StreamResponse | None:
        number = re.search(r"/namespaces/shop-([0-9]+)/", request.path)
        return await BROKEN[int(number[1])][1](request) if number and is_list(request) else None

    async def one(number: int, name: str, statuses: set[int]) -> None:
        longest = "3" if statuses == {69} else "60"
        async with gate:
            ended = await desk.run("analyze", "deploy/web", "-n", f"shop-{number}", "--timeout", longest)
        why = clear(ended) or ("" if ended.status in statuses else f"{ended.status}: {ended.err[-500:]}")
        found.append(f"{name}: {why}" if why else "")

    desk.recording.answer = broken
    for number in range(len(BROKEN)):
        await desk.workload(f"shop-{number}")
    async with asyncio.TaskGroup() as group:
        for number, (name, _, statuses) in enumerate(BROKEN):
            group.create_task(one(number, name, statuses))
    assert not any(found), "\n".join(found)
