"""Events: what happened to an object, for people to read."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TypeVar

from aegis.localcluster.api import ClusterApi, Object
from aegis.localcluster.controllers.objects import timestamp
from aegis.localcluster.status import ApiError

_REMEMBERED = 4096
_MESSAGE_MAX = 1024
_SIMILAR = 10
"""Events of one object and reason with different texts, after which the rest become one event that changes its text."""

Fact = TypeVar("Fact")
Known = TypeVar("Known")
Similar = tuple[str, str, str]
Seen = tuple[str, str, str, str]


class Recorder:
    """Writes the events of one component; the same event again only counts up."""

    def __init__(self, api: ClusterApi, component: str) -> None:
        self._api, self._component = api, component
        self._seen: OrderedDict[Seen, str] = OrderedDict()
        self._texts: OrderedDict[Similar, set[str]] = OrderedDict()

    def normal(self, obj: Object, reason: str, message: str) -> None:
        """Record something expected."""
        self._record(obj, "Normal", reason, message)

    def warning(self, obj: Object, reason: str, message: str) -> None:
        """Record something that a person may have to look at."""
        self._record(obj, "Warning", reason, message)

    def _record(self, obj: Object, kind: str, reason: str, message: str) -> None:
        similar = (obj["metadata"]["uid"], kind, reason)
        seen = (*similar, message)
        if self._is_one_of_many(similar, message):
            seen, message = (*similar, ""), f"(combined from similar events): {message}"
        message = message[:_MESSAGE_MAX]
        namespace = obj["metadata"].get("namespace") or "default"
        try:
            if not self._counted(namespace, seen, message):
                created = self._api.create("events", self._event(obj, kind, reason, message), manager=self._component)
                _remember(self._seen, seen, created["metadata"]["name"])
        except ApiError as error:
            # Nothing may be created in a namespace that is going; other refusals would be a defect worth seeing.
            if error.code not in {403, 404}:
                raise

    def _is_one_of_many(self, similar: Similar, message: str) -> bool:
        texts = self._texts.get(similar, set())
        _remember(self._texts, similar, texts)
        if message in texts:
            return False
        if len(texts) >= _SIMILAR:
            return True
        texts.add(message)
        return False

    def _counted(self, namespace: str, seen: Seen, message: str) -> bool:
        name = self._seen.get(seen)
        old = self._api.get("events", namespace, name) if name is not None else None
        if name is None or old is None:
            return False
        change = {"count": (old.get("count") or 1) + 1, "lastTimestamp": timestamp(), "message": message}
        self._api.patch("events", namespace, name, change, manager=self._component)
        return True

    def _event(self, obj: Object, kind: str, reason: str, message: str) -> Object:
        metadata, now = obj["metadata"], timestamp()
        involved = {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        }
        if metadata.get("namespace"):
            involved["namespace"] = metadata["namespace"]
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name']}.{time.time_ns():x}",
                "namespace": metadata.get("namespace") or "default",
            },
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "source": {"component": self._component},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": kind,
            "eventTime": None,
            "reportingComponent": self._component,
            "reportingInstance": "",
        }


def _remember(memory: OrderedDict[Fact, Known], fact: Fact, known: Known) -> None:
    """Keep something in mind, and forget what was not needed for longest."""
    memory[fact] = known
    memory.move_to_end(fact)
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)
