"""Watch: what happened since a revision, and what happens, as lines of JSON."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from aegis.localcluster.api import EventType
from aegis.localcluster.apiserver.core import Core
from aegis.localcluster.apiserver.http.call import Call
from aegis.localcluster.apiserver.http.rendering import accepted_form, formed
from aegis.localcluster.apiserver.http.selecting import Selection, selection
from aegis.localcluster.apiserver.presenting import presented
from aegis.localcluster.apiserver.refusals import BadRequest, Expired
from aegis.localcluster.apiserver.store import Change, Stored, Subscription, encode

_BACKLOG = 10_000
_DEFAULT_SECONDS, _LONGEST_SECONDS = 1800, 86_400
_BOOKMARK_SECONDS = 50.0
_INITIAL_END = "k8s.io/initial-events-end"


class Watch:
    """One watch request.

    Creating it subscribes and checks the query, so that a fault is still an ordinary error answer; `lines` then never
    raises an `ApiError`.
    """

    def __init__(self, core: Core, call: Call) -> None:
        self._store, self._call = core.store, call
        accepted_form(call.accept)
        self._selection: Selection = selection(call)
        self._bookmarks = call.flag("allowWatchBookmarks")
        self._seconds = _seconds(call)
        since = call.number("resourceVersion") or 0
        self._initial = _wants_initial(call, since)
        self._error: Expired | None = None
        self._subscription: Subscription | None = None
        try:
            start = None if self._initial else since
            self._subscription = core.store.subscribe({call.resource.stored_as}, since=start, limit=_BACKLOG)
        except Expired as error:
            self._error = error
        self._snapshot = self._matching() if self._initial else []
        self._revision = core.store.revision

    def close(self) -> None:
        """End the subscription."""
        if self._subscription is not None:
            self._store.unsubscribe(self._subscription)

    async def lines(self) -> AsyncGenerator[bytes]:
        """Each event as a line."""
        if self._error is not None or self._subscription is None:
            yield _line("ERROR", (self._error or Expired("the watch is closed")).to_status())
            return
        for obj in self._snapshot:
            yield self._event("ADDED", obj)
        if self._initial and self._bookmarks and self._call.flag("sendInitialEvents"):
            yield self._bookmark({_INITIAL_END: "true"})
        try:
            async for line in self._live(self._subscription):
                yield line
        except Expired as error:
            yield _line("ERROR", error.to_status())

    async def _live(self, subscription: Subscription) -> AsyncIterator[bytes]:
        end = time.monotonic() + self._seconds
        bookmark = time.monotonic() + _BOOKMARK_SECONDS
        while time.monotonic() < end:
            change = await _next(subscription, min(end, bookmark))
            if change is not None:
                self._revision = change.revision
                line = self._translated(change)
            elif time.monotonic() >= bookmark:
                bookmark += _BOOKMARK_SECONDS
                line = self._bookmark({}) if self._bookmarks else None
            else:
                line = None
            if line is not None:
                yield line

    def _translated(self, change: Change) -> bytes | None:
        """The event that a selective watcher sees: an object that leaves the selection is DELETED for it."""
        before = change.previous is not None and self._selection.matches(change.previous)
        after = change.type != "DELETED" and self._selection.matches(change.object)
        if after:
            return self._event("MODIFIED" if before else "ADDED", change.object)
        if not before or change.previous is None:
            return None
        if change.type == "DELETED":
            return self._event("DELETED", change.object)
        revision = change.object["metadata"]["resourceVersion"]
        left = {**change.previous, "metadata": {**change.previous["metadata"], "resourceVersion": revision}}
        return self._event("DELETED", left)

    def _event(self, kind: EventType, obj: Mapping[str, Any]) -> bytes:
        shown = formed(self._call, presented(self._call.resource, obj))
        return _line(kind, shown)

    def _bookmark(self, annotations: Mapping[str, str]) -> bytes:
        resource = self._call.resource
        metadata: dict[str, Any] = {"resourceVersion": str(self._revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = dict(annotations)
        bare = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
        if accepted_form(self._call.accept) == "table":
            bare = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "rows": []}
        elif accepted_form(self._call.accept) == "metadata":
            bare = {**bare, "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        return _line("BOOKMARK", bare)

    def _matching(self) -> list[Stored]:
        objects = self._store.objects(self._call.resource.stored_as, self._selection.namespace)
        return [o for o in objects if self._selection.matches(o)]


async def _next(subscription: Subscription, deadline: float) -> Change | None:
    try:
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
            return await subscription.next()
    except TimeoutError:
        return None


def _wants_initial(call: Call, since: int) -> bool:
    if call.flag("sendInitialEvents"):
        if call.query.get("resourceVersionMatch") != "NotOlderThan":
            raise BadRequest("sendInitialEvents needs resourceVersionMatch NotOlderThan")
        return True
    return since == 0 and call.query.get("sendInitialEvents", "") == ""


def _seconds(call: Call) -> float:
    asked = call.number("timeoutSeconds")
    return _DEFAULT_SECONDS if asked is None else max(0, min(asked, _LONGEST_SECONDS))


def _line(kind: str, obj: Mapping[str, Any]) -> bytes:
    wire = obj.wire() if isinstance(obj, Stored) else encode(obj)
    return b"".join((b'{"type":"', kind.encode(), b'","object":', wire, b"}\n"))
