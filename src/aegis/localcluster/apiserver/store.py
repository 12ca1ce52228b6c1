"""The objects, in memory: one revision counter, a bounded history, and subscriptions without gaps.

A stored object is never changed: a write puts a new one in its place. So reads hand out what is stored, and each
object's JSON is encoded once, however many clients list or watch it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Self

from aegis.localcluster.api import EventType
from aegis.localcluster.apiserver.refusals import Expired

FIRST_REVISION = 1000
"""Revisions start above 1, as on a server whose store was compacted: an old one is met by 410, never by silence."""

Key = tuple[str | None, str]
"""Namespace (None for a cluster-wide object) and name."""


def encode(obj: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode()


class Stored(dict[str, Any]):
    """An object as stored, with its JSON once it was asked for."""

    __slots__ = ("_wire",)

    def wire(self) -> bytes:
        """Its compact JSON, encoded once."""
        try:
            return self._wire
        except AttributeError:
            self._wire: bytes = encode(self)
            return self._wire

    @property
    def revision(self) -> int:
        """Its resourceVersion as a number."""
        return int(self["metadata"]["resourceVersion"])


@dataclass(frozen=True, slots=True)
class Change:
    """One write: what was stored (or removed), in the place of what."""

    revision: int
    type: EventType
    storage: str
    key: Key
    object: Stored
    previous: Stored | None


class Subscription:
    """Changes of some resources from a revision on, in order, until it is closed."""

    def __init__(
        self, store: Store, storages: Collection[str] | None, backlog: Iterable[Change], limit: int | None
    ) -> None:
        self._store, self._storages, self._limit = store, storages, limit
        self._waiting = deque(c for c in backlog if self._wants(c))
        self._wake = asyncio.Event()
        self._lost = False

    def offer(self, change: Change) -> None:
        """Take a change, called by the store; a reader too slow for the limit loses the subscription."""
        if not self._wants(change) or self._lost:
            return
        if self._limit is not None and len(self._waiting) >= self._limit:
            self._lost = True
            self._waiting.clear()
        else:
            self._waiting.append(change)
        self._wake.set()

    def _wants(self, change: Change) -> bool:
        return self._storages is None or change.storage in self._storages

    def pending(self) -> Change | None:
        """The next change that is here already, or None.

        Raises:
            Expired: 410 where changes were lost because they were not read in time.
        """
        if self._lost:
            raise Expired("the watch fell too far behind")
        if self._waiting:
            return self._waiting.popleft()
        self._wake.clear()
        return None

    async def next(self) -> Change:
        """The next change, waiting for it."""
        while (change := self.pending()) is None:
            await self._wake.wait()
        return change

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.unsubscribe(self)

    async def __aiter__(self) -> AsyncIterator[Change]:
        while True:
            yield await self.next()


class Store:
    """Every object, by resource, namespace and name."""

    def __init__(self, *, history: int = 20_000) -> None:
        self.revision = FIRST_REVISION
        self._objects: dict[str, dict[str | None, dict[str, Stored]]] = {}
        self._history: deque[Change] = deque(maxlen=history)
        self._oldest = FIRST_REVISION
        self._subscriptions: list[Subscription] = []
        self._observers: list[Callable[[Change], None]] = []

    def get(self, storage: str, key: Key) -> Stored | None:
        """The object, or None."""
        return self._objects.get(storage, {}).get(key[0], {}).get(key[1])

    def objects(self, storage: str, namespace: str | None = None) -> list[Stored]:
        """The objects of a resource, in one namespace or in all, by namespace and name."""
        spaces = self._objects.get(storage, {})
        chosen = [namespace] if namespace is not None else sorted(spaces, key=lambda n: n or "")
        return [space[name] for n in chosen if (space := spaces.get(n)) for name in sorted(space)]

    def storages(self) -> list[str]:
        """The resources that hold any object."""
        return sorted(self._objects)

    def count(self, storage: str, namespace: str | None) -> int:
        """How many objects of a resource a namespace holds."""
        return len(self._objects.get(storage, {}).get(namespace, ()))

    def put(self, storage: str, key: Key, obj: dict[str, Any]) -> Stored:
        """Store an object under the next revision, which is written into it."""
        previous = self.get(storage, key)
        stored = self._stamped(obj)
        self._objects.setdefault(storage, {}).setdefault(key[0], {})[key[1]] = stored
        self._record("MODIFIED" if previous is not None else "ADDED", storage, key, (stored, previous))
        return stored

    def remove(self, storage: str, key: Key, last: dict[str, Any]) -> Stored:
        """Remove an object; `last` is its final state, which takes the next revision."""
        space = self._objects[storage][key[0]]
        previous = space.pop(key[1])
        if not space:
            del self._objects[storage][key[0]]
        stored = self._stamped(last)
        self._record("DELETED", storage, key, (stored, previous))
        return stored

    def objects_at(self, storage: str, namespace: str | None, revision: int) -> list[Stored]:
        """The objects as they stood at a revision.

        Raises:
            Expired: 410 where the history no longer reaches back so far.
        """
        state = {_key(o): o for o in self.objects(storage, namespace)}
        for change in reversed(self._since(revision)):
            if change.storage != storage or namespace not in {None, change.key[0]}:
                continue
            if change.previous is None:
                state.pop(change.key, None)
            else:
                state[change.key] = change.previous
        return [state[k] for k in sorted(state, key=lambda k: (k[0] or "", k[1]))]

    def subscribe(
        self, storages: Collection[str] | None, *, since: int | None = None, limit: int | None = None
    ) -> Subscription:
        """Changes of some resources (None: of all) after `since`, or from now on; more than `limit` unread ones end the subscription.

        Raises:
            Expired: 410 where the history no longer reaches back to `since`.
        """
        backlog = self._since(since) if since is not None else []
        subscription = Subscription(self, storages, backlog, limit)
        self._subscriptions.append(subscription)
        return subscription

    def observe(self, observer: Callable[[Change], None]) -> None:
        """Call a function with every change from now on, once all subscriptions have it; it may write itself."""
        self._observers.append(observer)

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription; ending it twice is no error."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def _since(self, revision: int) -> list[Change]:
        if revision < self._oldest:
            raise Expired(f"too old resource version: {revision} ({self._oldest})")
        newer: list[Change] = []
        for change in reversed(self._history):
            if change.revision <= revision:
                break
            newer.append(change)
        newer.reverse()
        return newer

    def _stamped(self, obj: dict[str, Any]) -> Stored:
        self.revision += 1
        return Stored({**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.revision)}})

    def _record(self, kind: EventType, storage: str, key: Key, objects: tuple[Stored, Stored | None]) -> None:
        if len(self._history) == self._history.maxlen:
            self._oldest = self._history[0].revision
        change = Change(self.revision, kind, storage, key, *objects)
        self._history.append(change)
        for subscription in self._subscriptions:
            subscription.offer(change)
        for observer in self._observers:
            observer(change)


def _key(obj: Stored) -> Key:
    return obj["metadata"].get("namespace"), obj["metadata"]["name"]
