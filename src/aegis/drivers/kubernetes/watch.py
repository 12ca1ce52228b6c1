"""Listing in pages, and watching through dropped connections and forgotten versions."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import aiohttp

from aegis.drivers.kubernetes.faults import Doing, translate
from aegis.drivers.kubernetes.resources import Resource
from aegis.drivers.kubernetes.transport import LARGEST_ANSWER, Call, Refusal, Transport, wait_before
from aegis.errors import AegisError, Gone, Unavailable
from aegis.model.refs import JsonObject
from aegis.ports import ObjectEvent

_PAGE: Final = 500
_MOST_PAGES: Final = 400
_WATCH_SECONDS: Final = 240
_SILENCE: Final = _WATCH_SECONDS + 30.0
_GONE: Final = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A whole list.

    Attributes:
        objects: each with its apiVersion and kind.
        version: the resourceVersion from which a watch goes on.
    """

    objects: list[JsonObject]
    version: str


async def list_all(transport: Transport, call: Call, resource: Resource) -> Listed:
    """Every page of a list. If the server forgets the list half-way (410), it is read anew, in one piece.

    Raises:
        Refusal: if the server refuses.
        Unavailable: if the list has no end.
    """
    call = replace(call, doing=replace(call.doing, verb="list"))
    try:
        return await _pages(transport, call, resource, limit=_PAGE)
    except Refusal as refusal:
        if refusal.code != _GONE:
            raise
    return await _pages(transport, call, resource, limit=0)


async def _pages(transport: Transport, call: Call, resource: Resource, *, limit: int) -> Listed:
    objects: list[JsonObject] = []
    token = ""
    for _ in range(_MOST_PAGES):
        query = {**call.query, "limit": str(limit or ""), "continue": token}
        answer = await transport.json(replace(call, query=query))
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        objects.extend(kind | item for item in _items(answer, call))
        metadata = answer.get("metadata") or {}
        token = str(metadata.get("continue") or "")
        if not token:
            return Listed(objects=objects, version=str(metadata.get("resourceVersion") or ""))
    raise Unavailable(f"{call.doing}: more than {_MOST_PAGES} pages", hint="Name one namespace.")


def _items(answer: JsonObject, call: Call) -> list[JsonObject]:
    """The objects of a page; `null` is what some servers write for none.

    Raises:
        Unavailable: if the answer is no list of objects.
    """
    items = answer.get("items", "")
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Unavailable(f"{call.doing}: the server answered no list of objects")
    return items


class Watcher:
    """One watch: what it has told so far, and from which version it goes on."""

    def __init__(self, transport: Transport, call: Call, resource: Resource) -> None:
        self._transport = transport
        self._call = call
        self._resource = resource
        self._known: dict[str, JsonObject] = {}
        self._version = ""
        self._started = False
        self._failures = 0

    async def events(self) -> AsyncGenerator[ObjectEvent, None]:
        """For ever: the difference to what is listed, then what the watch tells; anew whenever the server forgot.

        Raises:
            AegisError: what does not pass by waiting (permission, an unknown kind, an unreachable server at the start).
        """
        while True:
            for event in await self._catch_up():
                yield event
            async with aclosing(self._until_broken()) as stream:
                async for event in stream:
                    yield event

    async def _catch_up(self) -> list[ObjectEvent]:
        """List, unless it is known from where to go on; with patience once something was told already."""
        while not self._version:
            try:
                listed = await list_all(self._transport, self._call, self._resource)
            except (Refusal, Unavailable) as error:
                await self._after(_translated(error))
                continue
            self._started = True
            self._version = listed.version
            return list(self._difference({_key(obj): obj for obj in listed.objects}))
        return []

    async def _until_broken(self) -> AsyncGenerator[ObjectEvent, None]:
        began = time.monotonic()
        try:
            async with aclosing(self._stream()) as stream:
                async for event in stream:
                    self._failures = 0
                    yield event
        except (Refusal, Unavailable) as error:
            await self._after(_translated(error))
        else:
            if time.monotonic() - began < 1.0:
                await self._pause()

    async def _after(self, error: AegisError) -> None:
        """What to do about a broken watch: relist where the server forgot, wait where it may pass."""
        if not self._started or not isinstance(error, Unavailable):
            raise error
        if isinstance(error, Gone):
            self._version = ""
        await self._pause()

    async def _pause(self) -> None:
        self._failures += 1
        await asyncio.sleep(wait_before(min(self._failures, 5), asked=None, chance=random.random()))  # noqa: S311

    def _difference(self, now: dict[str, JsonObject]) -> Iterator[ObjectEvent]:
        for key, obj in self._known.items():
            if key not in now:
                yield ObjectEvent(type="DELETED", object=obj)
        for key, obj in now.items():
            old = self._known.get(key)
            if old is None:
                yield ObjectEvent(type="ADDED", object=obj)
            elif _version(old) != _version(obj):
                yield ObjectEvent(type="MODIFIED", object=obj)
        self._known = now

    async def _stream(self) -> AsyncGenerator[ObjectEvent, None]:
        """One connection: until the server ends it."""
        seconds = _WATCH_SECONDS - random.randrange(60)  # noqa: S311  (so that not all watches end at once)
        query = {
            **self._call.query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(seconds),
        }
        async with self._transport.stream(replace(self._call, query=query), silence=_SILENCE) as reader:
            async for line in _lines(reader):
                event = self._take(_parse(line, self._call.doing))
                if event:
                    yield event

    def _take(self, event: JsonObject) -> ObjectEvent | None:
        kind, obj = event.get("type"), event.get("object") or {}
        if kind == "ERROR":
            raise translate(int(obj.get("code") or 500), json.dumps(obj).encode(), self._call.doing)
        self._version = _version(obj) or self._version
        if kind == "BOOKMARK":
            return None
        obj = {"apiVersion": self._resource.api_version, "kind": self._resource.kind, **obj}
        return ObjectEvent(type=self._remember(str(kind), obj), object=obj)

    def _remember(self, kind: str, obj: JsonObject) -> Literal["ADDED", "MODIFIED", "DELETED"]:
        key = _key(obj)
        if kind == "DELETED":
            self._known.pop(key, None)
            return "DELETED"
        known = key in self._known
        self._known[key] = obj
        return "MODIFIED" if known else "ADDED"


async def _lines(reader: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    rest = bytearray()
    async for chunk in reader.iter_any():
        rest += chunk
        if b"\n" not in chunk:
            if len(rest) > LARGEST_ANSWER:
                raise Unavailable("a watch sent an event without end")
            continue
        *lines, last = bytes(rest).split(b"\n")
        rest = bytearray(last)
        for line in lines:
            if line.strip():
                yield line


def _parse(line: bytes, doing: Doing) -> JsonObject:
    try:
        event: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Unavailable(f"{doing}: the server sent no event: {line[:80]!r}") from error
    if not isinstance(event, dict) or not isinstance(event.get("object"), dict):
        raise Unavailable(f"{doing}: the server sent no event: {line[:80]!r}")
    return event


def _translated(error: Refusal | Unavailable) -> AegisError:
    return error.translated() if isinstance(error, Refusal) else error


def _key(obj: JsonObject) -> str:
    metadata = obj.get("metadata") or {}
    return str(metadata.get("uid") or f"{metadata.get('namespace')}/{metadata.get('name')}")


def _version(obj: JsonObject) -> str:
    return str((obj.get("metadata") or {}).get("resourceVersion") or "")
