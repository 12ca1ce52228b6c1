"""The work queue, and the loop around a controller."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any, cast

from aegis.localcluster.api import ClusterApi, Pace, WatchEvent
from aegis.localcluster.controllers.loop import run
from aegis.localcluster.controllers.objects import Key
from aegis.localcluster.controllers.queue import WorkQueue
from aegis.localcluster.status import ApiError


async def test_what_is_asked_twice_is_done_once() -> None:
    queue = WorkQueue(Pace())
    for name in ("a", "b", "a"):
        queue.add((name,))
    assert [await queue.get(), await queue.get()] == [("a",), ("b",)]
    with_timeout = asyncio.wait_for(queue.get(), 0.01)
    try:
        await with_timeout
    except TimeoutError:
        return
    raise AssertionError("the queue was not empty")


async def test_the_earlier_time_wins_and_the_scale_divides() -> None:
    queue = WorkQueue(Pace(scale=100))
    start = time.monotonic()
    queue.add_after(("a",), 500)
    queue.add_after(("a",), 2)
    queue.add_after(("a",), 500)
    assert await queue.get() == ("a",)
    assert 0.015 < time.monotonic() - start < 1
    queue.close()


async def test_back_off_doubles_until_it_succeeds() -> None:
    queue = WorkQueue(Pace())
    delays = [queue.retry(("a",)) for _ in range(4)]
    assert delays == [0.05, 0.1, 0.2, 0.4]
    assert max(queue.retry(("a",)) for _ in range(30)) == 60
    queue.forget(("a",))
    assert queue.retry(("a",)) == 0.05
    queue.close()


class Stream:
    """An API that tells one change, then nothing."""

    async def watch(self, *_: str) -> AsyncIterator[WatchEvent]:
        yield WatchEvent(type="ADDED", resource="pods", object={"metadata": {"name": "a"}})
        await asyncio.Event().wait()


class Stubborn:
    name, watches = "stubborn", ("pods",)

    def __init__(self, errors: list[Exception]) -> None:
        self.errors, self.done = errors, asyncio.Event()

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        return [("default", event.object["metadata"]["name"])]

    def sync(self, key: Key) -> float | None:
        if self.errors:
            raise self.errors.pop(0)
        self.done.set()
        return None


async def test_errors_are_tried_again_and_stop_nothing(caplog: Any) -> None:
    controller = Stubborn([ApiError(409, "Conflict", "no"), KeyError("spec")])
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(run(controller, cast("ClusterApi", Stream()), Pace(scale=100)))
        async with asyncio.timeout(5):
            await controller.done.wait()
        task.cancel()
    assert "stubborn: default/a failed" in caplog.text
