"""Events: what happened to an object, for people to read."""

from __future__ import annotations

import time
from collections import OrderedDict

from aegis.localcluster.api import ClusterApi, Object
from aegis.localcluster.controllers.objects import timestamp
from aegis.localcluster.status import ApiError

_REMEMBERED = 4096
_MESSAGE_MAX = 1024

Seen = tuple[str, str, str, str]


class Recorder:
    """Writes the events of one component; the same event again only counts up."""

    def __init__(self, api: ClusterApi, component: str) -> None:
        self._api, self._component = api, component
        self._seen: OrderedDict[Seen, str] = OrderedDict()

    def normal(self, obj: Object, reason: str, message: str) -> None:
        """Record something expected."""
        self._record(obj, "Normal", reason, message)

    def warning(self, obj: Object, reason: str, message: str) -> None:
        """Record something that a person may have to look at."""
        self._record(obj, "Warning", reason, message)

    def _record(self, obj: Object, kind: str, reason: str, message: str) -> None:
        message = message[:_MESSAGE_MAX]
        seen = (obj["metadata"]["uid"], kind, reason, message)
        namespace = obj["metadata"].get("namespace") or "default"
        try:
            if not self._counted(namespace, seen):
                created = self._api.create("events", self._event(obj, kind, reason, message), manager=self._component)
                self._remember(seen, created["metadata"]["name"])
        except ApiError as error:
            # Nothing may be created in a namespace that is going; other refusals would be a defect worth seeing.
            if error.code not in {403, 404}:
                raise

    def _counted(self, namespace: str, seen: Seen) -> bool:
        name = self._seen.get(seen)
        old = self._api.get("events", namespace, name) if name is not None else None
        if name is None or old is None:
            return False
        change = {"count": (old.get("count") or 1) + 1, "lastTimestamp": timestamp()}
        self._api.patch("events", namespace, name, change, manager=self._component)
        return True

    def _remember(self, seen: Seen, name: str) -> None:
        self._seen[seen] = name
        self._seen.move_to_end(seen)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

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
