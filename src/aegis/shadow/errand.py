"""A program of somebody else's in an arm, from its objects to its end: a scanner's image, a proof of concept.

Other than a probe (`aegis.shadow.probe`), its image may not be there, it may hang, and what it says is no JSON of ours.
Whatever becomes of it, its objects are gone when it is over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

from aegis.drivers.shielding import shielded
from aegis.errors import AegisError, NotFound
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.signature import container_statuses
from aegis.ports import LogQuery
from aegis.shadow.probe import PROBE, Place

_NO_START = frozenset({
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
})
_OVER = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended, or why it did not.

    Attributes:
        pod: as last seen; empty where none came.
        began: whether the container was seen running, or to have run.
        late: whether its time was up.
        why: what kept it from starting; empty where nothing did.
    """

    pod: Json = field(default_factory=dict)
    began: bool = False
    late: bool = False
    why: str = ""

    def status(self, container: str) -> int | None:
        """The exit status of a container; None where it did not end by itself."""
        ended = _state(self.pod, container).get("terminated") or {}
        code = ended.get("exitCode")
        return code if isinstance(code, int) and not self.late else None

    def reason(self, container: str) -> str:
        """What the cluster calls the end of a container, as `OOMKilled`, else of the pod."""
        ended = _state(self.pod, container).get("terminated") or {}
        return str(ended.get("reason") or (self.pod.get("status") or {}).get("reason") or "")


@contextlib.asynccontextmanager
async def standing(place: Place, objects: Sequence[JsonObject]) -> AsyncIterator[None]:
    """The objects, in this order; gone when the block is left, however it is left, in the other order.

    Raises:
        AegisError: what the cluster answers when they are made.
    """
    made: list[ObjectRef] = []
    try:
        for obj in objects:
            made.append(ObjectRef.of(obj))
            await (place.start(obj) if obj["kind"] == "Pod" else place.create(obj))
        yield
    finally:
        await shielded(_remove(place, made[::-1]))


async def until_ended(place: Place, label: str, container: str, *, seconds: float, patience: float) -> Ended:
    """Watch the one pod of this label (`aegis.io/probe`) to its end; every pod seen under it counts as our own.

    Args:
        place: where.
        label: the label's value.
        container: whose run is bounded.
        seconds: real seconds that it may run.
        patience: real seconds until it runs: for its image, and what runs before it.
    """
    loop = asyncio.get_running_loop()
    seen = Ended()
    try:
        async with (
            asyncio.timeout(patience) as deadline,
            contextlib.aclosing(_sights(place, label, container)) as sights,
        ):
            async for sight in sights:
                begins = sight.began and not seen.began
                deadline.reschedule(loop.time() + seconds if begins else deadline.when())
                seen = sight
    except TimeoutError:
        return replace(seen, late=True, why="" if seen.began else _waits(seen.pod))
    return seen


async def _sights(place: Place, label: str, container: str) -> AsyncGenerator[Ended, None]:
    """The pod, each time that it changes, until it is over."""
    seen = Ended(why="the watch of its pod ended")
    async with place.tools.watch("v1", "Pod", place.namespace, labels=f"{PROBE}={label}") as events:
        async for event in events:
            seen = _look(place, event.object, container)
            if event.type == "DELETED":
                seen = replace(seen, why="its pod was deleted")
            yield seen
            if seen.why or (seen.pod.get("status") or {}).get("phase") in _OVER:
                return
    yield replace(seen, why="the watch of its pod ended")


async def said(place: Place, pod: Json, container: str, *, limit_bytes: int) -> str:
    """What a container wrote, from its beginning; empty where nothing is to be had."""
    name = str((pod.get("metadata") or {}).get("name") or "")
    query = LogQuery(container=container, limit_bytes=limit_bytes)
    try:
        return await place.tools.reader.logs(place.namespace, name, query) if name else ""
    except NotFound:
        return ""


def _look(place: Place, pod: Json, container: str) -> Ended:
    place.roll.see(pod)
    place.roll.own.add(str((pod.get("metadata") or {}).get("uid") or ""))
    state = _state(pod, container)
    return Ended(pod=pod, began="running" in state or "terminated" in state, why=_cannot_start(pod))


def _state(pod: Json, container: str) -> Json:
    for status in container_statuses(pod):
        if status.get("name") == container:
            state: Json = status.get("state") or {}
            return state
    return {}


def _cannot_start(pod: Json) -> str:
    for status in container_statuses(pod):
        waiting = (status.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _NO_START:
            return f"{waiting['reason']}: {waiting.get('message') or status.get('image') or ''}"[:500]
    return ""


def _waits(pod: Json) -> str:
    """Why a pod did not run in time, as far as its conditions say."""
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("status") == "False" and condition.get("message"):
            return f"it did not start in time: {condition['message']}"[:500]
    return "it did not start in time" if pod else "no pod of it came in time"


async def _remove(place: Place, refs: Sequence[ObjectRef]) -> None:
    """Remove what was made; what stays goes with the arm."""
    for ref in refs:
        with contextlib.suppress(AegisError):
            await place.tools.actuator.delete(ref, place.purpose)
