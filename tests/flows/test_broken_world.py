"""An API server that misbehaves, and objects that do: a clear outcome, one line, no traceback, and bounded memory.

The real command line, in processes of its own; a proxy in front of a real API server breaks what passes.
"""

from __future__ import annotations

import asyncio
import json
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that is broken, in a namespace of its own, by which the proxy knows what is asked about.

    Attributes:
        name: in words.
        answer: what the proxy answers instead, or passes on.
        statuses: how the command may end.
        words: the command; `NS` stands for the namespace.
        most: bytes that it may hold.
    """

    name: str
    answer: Answer
    statuses: set[int]
    words: tuple[str, ...] = ("analyze", "deploy/web", "-n", "NS")
    most: int = 150 * MIB


async def wrong(desk: Desk, case: Case, namespace: str) -> str:
    """What is not as it should be; empty where all is."""
    longest = "3" if case.statuses == {69} else "100"
    words = [namespace if word == "NS" else word for word in case.words]
    ended = await desk.run(*words, "--timeout", longest, seconds=120)
    if why := clear(ended):
        return f"{case.name}: {why}"
    if ended.status not in case.statuses:
        return f"{case.name}: {ended.status}: {ended.err[-500:]}"
    if ended.peak > case.most:
        return f"{case.name}: {ended.peak // MIB} MiB"
    sent = sorted({char for char in ended.out + ended.err if not char.isprintable() and char != "\n"})
    return f"{case.name}: sent {sent} to the terminal" if sent else ""


async def hold(desk: Desk, cases: list[Case]) -> None:
    """Play all of them, some at a time."""
    gate, found = asyncio.Semaphore(5), [""]

    async def broken(request: web.Request) -> web.StreamResponse | None:
        number = re.search(r"/namespaces/shop-([0-9]+)/", request.path)
        return await cases[int(number[1])].answer(request) if number else None

    async def one(number: int, case: Case) -> None:
        async with gate:
            found.append(await wrong(desk, case, f"shop-{number}"))

    desk.recording.answer = broken
    for number in range(len(cases)):
        await desk.workload(f"shop-{number}")
    async with asyncio.TaskGroup() as group:
        for number, case in enumerate(cases):
            group.create_task(one(number, case))
    assert not any(found), "\n".join(found)


async def test_a_server_that_misbehaves_ends_it_with_one_line_in_good_time(desk: Desk) -> None:
    await hold(desk, [Case(name=name, answer=on_list(answer), statuses=ends) for name, answer, ends in BROKEN])


NASTY = "\x1b]0;owned\x07\x1b[2J\r\n\u202eevil\u2066 $(reboot) `id` ../../etc ' OR 1=1 -- \ufeff\x00"


def pods(count: int, *, blob: int = 0) -> list[dict[str, Any]]:
    """Pods that crash, each with an annotation of so many bytes."""
    found = []
    for number in range(count):
        more: dict[str, Any] = {"annotations": {"blob": "x" * blob}} if blob else {}
        metadata = {**POD["metadata"], "name": f"web-{number}", "uid": f"u{number}", **more}
        found.append({**POD, "metadata": metadata})
    return found


def listing(objects: list[dict[str, Any]]) -> Answer:
    """Pages of a list, as they are asked for."""

    async def answered(request: web.Request) -> web.StreamResponse:
        size, start = int(request.query.get("limit") or 500), int(request.query.get("continue") or 0)
        metadata = {"resourceVersion": "9", "continue": str(start + size) if start + size < len(objects) else ""}
        page = {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": objects[start : start + size]}
        return web.json_response(page)

    return answered


def endless(piece: bytes, *, start: bytes = b"") -> Answer:
    """An answer that goes on until nobody listens any more; not for more than a GiB."""

    async def answered(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        await response.write(start)
        for _ in range((1 << 30) // len(piece)):
            if request.transport is None or request.transport.is_closing():
                break
            await response.write(piece)
        return response

    return answered


def one_pod(log: Answer, pod: dict[str, Any] | None = None) -> Answer:
    """A namespace with one pod that crashes, and its output."""
    found = pod or pods(1)[0]

    async def answered(request: web.Request) -> web.StreamResponse | None:
        if is_list(request):
            return await listing([found])(request)
        if request.path.endswith("/log"):
            return await log(request)
        return web.json_response(found) if request.path.endswith(f"/pods/{found['metadata']['name']}") else None

    return answered


LOGS: list[tuple[str, Answer]] = [
    ("a GiB of lines", endless(b"GET /orders 200 in 3 ms\n" * 40_000)),
    ("one line without an end", endless(b"x" * MIB)),
    ("binary", body(bytes(range(256)) * 200, "text/plain")),
    ("zeros", body(b"\0" * 60_000, "text/plain")),
    ("half characters", body("€".encode()[:2] * 20_000, "text/plain")),
    ("control sequences", body(f"fatal: {NASTY}\nKeyError: 'X'\n".encode() * 50, "text/plain")),
    ("gone meanwhile", status(404)),
    ("broken", status(500)),
    ("closed", closed),
]


def nasty_pod() -> dict[str, Any]:
    """Every text of it that no validation of a real server bounds."""
    found: dict[str, Any] = json.loads(json.dumps(pods(1)[0]))
    found["metadata"] |= {"name": "w" * 253, "annotations": {"note": NASTY}}
    container = found["status"]["containerStatuses"][0]
    container["state"]["waiting"]["message"] = NASTY
    container["lastState"]["terminated"]["message"] = NASTY * 200
    found["spec"]["containers"][0] |= {"command": ["sh", "-c", NASTY], "env": [{"name": "A", "value": NASTY}]}
    found["status"]["conditions"] = [{"type": "Ready", "status": "False", "reason": NASTY, "message": NASTY}]
    return found


async def test_no_output_of_a_program_and_no_text_takes_the_memory_or_the_terminal(desk: Desk) -> None:
    of_pod = ("analyze", "pod/web-0", "-n", "NS")
    cases = [Case(name=name, answer=one_pod(log), statuses={1, 3}, words=of_pod) for name, log in LOGS]
    nasty, said = nasty_pod(), body(NASTY.encode() * 100, "text/plain")
    for form in ("table", "json", "yaml"):
        words = ("analyze", f"pod/{nasty['metadata']['name']}", "-n", "NS", "-o", form)
        cases.append(Case(name=f"texts as {form}", answer=one_pod(said, nasty), statuses={1, 3}, words=words))
    await hold(desk, cases)


async def test_what_is_large_is_read_within_bounds_or_refused(desk: Desk) -> None:
    everything = ("analyze", "-n", "NS", "-o", "json")
    large: list[tuple[str, Answer, set[int], int]] = [
        ("1,000 pods", listing(pods(1000)), {1, 3}, 150),
        ("12 pods of 1.5 MiB", listing(pods(12, blob=3 * MIB // 2)), {1, 3}, 250),
        ("a list without an end", endless(b"x" * MIB, start=b'{"kind": "PodList", "items": ["'), {69}, 250),
    ]
    cases = [
        Case(name=name, answer=on_list(answer), statuses=ends, words=everything, most=most * MIB)
        for name, answer, ends, most in large
    ]
    await hold(desk, cases)
