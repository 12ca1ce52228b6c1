"""How every controller runs: changes name keys, and one worker brings each key to what it should be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

from aegis.localcluster.api import ClusterApi, Pace, WatchEvent
from aegis.localcluster.controllers.objects import Key
from aegis.localcluster.controllers.queue import WorkQueue
from aegis.localcluster.status import ApiError

_log = logging.getLogger(__name__)


class Controller(Protocol):
    """One control loop."""

    @property
    def name(self) -> str:
        """Its name in the log and as field manager."""
        ...

    @property
    def watches(self) -> tuple[str, ...]:
        """The resources whose changes it hears; none means all."""
        ...

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """What has to be looked at again after a change."""
        ...

    def sync(self, key: Key) -> float | None:
        """Bring one key to what it should be.

        Returns:
            The nominal seconds after which to look again though nothing changed, or None.

        Raises:
            ApiError: a write was refused; the key is tried again later.
        """
        ...


async def run(controller: Controller, api: ClusterApi, pace: Pace) -> None:
    """Run a controller until it is cancelled."""
    queue = WorkQueue(pace)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_listen(controller, api, queue), name=f"{controller.name} listens")
            tasks.create_task(_work(controller, queue), name=f"{controller.name} works")
    finally:
        queue.close()


async def _listen(controller: Controller, api: ClusterApi, queue: WorkQueue) -> None:
    async for event in api.watch(*controller.watches):
        for key in controller.keys(event):
            queue.add(key)


async def _work(controller: Controller, queue: WorkQueue) -> None:
    while True:
        key = await queue.get()
        attempt(controller, queue, key)
        await asyncio.sleep(0)  # clients, the kubelet and the other controllers take their turn


def attempt(controller: Controller, queue: WorkQueue, key: Key) -> None:
    """Sync one key and queue what follows."""
    try:
        again = controller.sync(key)
    except ApiError as error:
        delay = queue.retry(key)
        _log.info("%s: %s: %s (again in %.3g s)", controller.name, "/".join(key), error.message, delay)
    except Exception:  # noqa: BLE001 - the outermost door of a loop: one odd object must not stop the cluster
        queue.retry(key)
        _log.exception("%s: %s failed", controller.name, "/".join(key))
    else:
        queue.forget(key)
        if again is not None:
            queue.add_after(key, again)
