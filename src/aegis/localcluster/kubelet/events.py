"""The kubelet's events: what happened to pods, for people to read; the same again only counts up."""

from __future__ import annotations

import time
from collections import OrderedDict

from aegis.localcluster.api import ClusterApi, Object
from aegis.localcluster.kubelet.times import timestamp
from aegis.localcluster.status import ApiError

_MANAGER = "kubelet"
_REMEMBERED = 4096
_MESSAGE_MAX = 1024

_Seen = tuple[str, str, str, str]


class Recorder:
    """Writes events about the objects of all nodes."""

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self._seen: OrderedDict[_Seen, str] = OrderedDict()

    def pod(self, pod: Object, kind: str, reason: str, message: str, *, container: str | None = None) -> None:
        """Record something about a pod or one of its containers; `kind` is `Normal` or `Warning`.

        Raises:
            ApiError: refused for another reason than that the namespace is going.
        """
        metadata = pod["metadata"]
        path = None if container is None else _field_path(pod, container)
        seen = (metadata["uid"], path or "", reason, message)
        try:
            if not self._counted(metadata["namespace"], seen):
                event = {**self._frame(pod, path), "type": kind, "reason": reason, "message": message[:_MESSAGE_MAX]}
                self._remember(seen, self._api.create("events", event, manager=_MANAGER)["metadata"]["name"])
        except ApiError as error:
            # Nothing may be created in a namespace that is going; other refusals would be a defect worth seeing.
            if error.code not in {403, 404}:
                raise

    def _counted(self, namespace: str, seen: _Seen) -> bool:
        name = self._seen.get(seen)
        old = self._api.get("events", namespace, name) if name is not None else None
        if name is None or old is None:
            return False
        change = {"count": (old.get("count") or 1) + 1, "lastTimestamp": timestamp(time.time())}
        self._api.patch("events", namespace, name, change, manager=_MANAGER)
        return True

    def _remember(self, seen: _Seen, name: str) -> None:
        self._seen[seen] = name
        self._seen.move_to_end(seen)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def _frame(self, pod: Object, path: str | None) -> Object:
        metadata, now = pod["metadata"], timestamp(time.time())
        host = pod["spec"].get("nodeName", "")
        involved = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata.get("resourceVersion", ""),
        }
        if path is not None:
            involved["fieldPath"] = path
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{time.time_ns():x}", "namespace": metadata["namespace"]},
            "involvedObject": involved,
            "source": {"component": _MANAGER, "host": host},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "eventTime": None,
            "reportingComponent": _MANAGER,
            "reportingInstance": host,
        }


def _field_path(pod: Object, container: str) -> str:
    group = "containers" if any(one["name"] == container for one in pod["spec"]["containers"]) else "initContainers"
    return f"spec.{group}{{{container}}}"
