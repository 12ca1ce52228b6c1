"""What befalls pods because of their node: cordons become taints, taints evict, and pods of no node go."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aegis.localcluster.api import ClusterApi, Object, Pace, WatchEvent
from aegis.localcluster.controllers.ages import Ages
from aegis.localcluster.controllers.objects import Key, is_active, is_terminating, key_of, timestamp, uid_of
from aegis.localcluster.controllers.podcontrol import disrupted
from aegis.localcluster.controllers.recorder import Recorder
from aegis.localcluster.controllers.scheduling.filters import is_tolerated

_CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
_MANAGER = "kube-controller-manager"
_GONE_SECONDS = 40.0
"""Nominal seconds after which a pod whose node is unknown goes: the node may be about to register."""


class CordonController:
    """Gives a cordoned node the taint that says so, and takes it away again."""

    name = "node-controller"
    watches = ("nodes",)

    def __init__(self, api: ClusterApi) -> None:
        self._api = api

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The node."""
        return [(event.object["metadata"]["name"],)]

    def sync(self, key: Key) -> float | None:
        """Bring the taint in line with the cordon.

        Raises:
            ApiError: the node could not be written.
        """
        node = self._api.get("nodes", None, key[0])
        if node is None:
            return None
        spec = node.get("spec") or {}
        taints: Sequence[Mapping[str, Any]] = spec.get("taints") or ()
        others = [t for t in taints if (t.get("key"), t.get("effect")) != (_CORDON["key"], _CORDON["effect"])]
        cordoned = bool(spec.get("unschedulable"))
        if cordoned is (len(others) < len(taints)):
            return None
        wanted = [*others, {**_CORDON, "timeAdded": timestamp()}] if cordoned else others
        self._api.patch("nodes", None, key[0], {"spec": {"taints": wanted or None}}, manager=_MANAGER)
        return None


class TaintEviction:
    """Deletes pods that do not tolerate a NoExecute taint of their node, or no longer."""

    name = "taint-eviction-controller"
    watches = ("nodes", "pods")

    def __init__(self, api: ClusterApi, pace: Pace) -> None:
        self._api, self._pace = api, pace
        self._recorder = Recorder(api, self.name)
        self._ages = Ages()

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The pod, or every pod of a node."""
        if event.resource == "pods":
            return [key_of(event.object)] if event.object["spec"].get("nodeName") else []
        name = event.object["metadata"]["name"]
        return [key_of(p) for p in self._api.list("pods") if p["spec"].get("nodeName") == name]

    def sync(self, key: Key) -> float | None:
        """Delete the pod if it has to go, else look again when it will have to.

        Raises:
            ApiError: the deletion was refused.
        """
        pod = self._api.get("pods", *key)
        node = self._api.get("nodes", None, pod["spec"].get("nodeName") or "") if pod is not None else None
        if pod is None or node is None or is_terminating(pod):
            return None
        taints = [t for t in (node.get("spec") or {}).get("taints") or () if t.get("effect") == "NoExecute"]
        left = min((self._left(pod, node, taint) for taint in taints), default=math.inf)
        if left > 0:
            return left if left < math.inf else None
        self._recorder.normal(pod, "TaintManagerEviction", f"Marking for deletion Pod {key[0]}/{key[1]}")
        why = "Taint manager: deleting due to NoExecute taint"
        disrupted(self._api, pod, "DeletionByTaintManager", why)
        self._api.delete("pods", *key, uid=uid_of(pod))
        return None

    def _left(self, pod: Object, node: Object, taint: Mapping[str, Any]) -> float:
        """Nominal seconds for which a pod may stay under a taint."""
        tolerations = [t for t in pod["spec"].get("tolerations") or () if is_tolerated(t, taint)]
        if not tolerations:
            return 0.0
        limits = [float(t["tolerationSeconds"]) for t in tolerations if t.get("tolerationSeconds") is not None]
        if not limits:
            return math.inf
        added = str(taint.get("timeAdded") or "")
        since = added or timestamp()
        fact = (uid_of(node), uid_of(pod), taint.get("key"), taint.get("value"), added)
        return min(limits) - self._ages.of(fact, since) * self._pace.scale


class PodCollector:
    """Removes the pods of nodes that are gone."""

    name = "pod-garbage-collector"
    watches = ("nodes", "pods")

    def __init__(self, api: ClusterApi, pace: Pace) -> None:
        self._api, self._pace = api, pace
        self._ages = Ages()

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The pods of a node that went, or a pod whose node is not known."""
        if event.resource == "nodes":
            gone = event.object["metadata"]["name"] if event.type == "DELETED" else ""
            return [key_of(p) for p in self._api.list("pods") if gone and p["spec"].get("nodeName") == gone]
        return [key_of(event.object)] if self._is_orphan(event.object) else []

    def sync(self, key: Key) -> float | None:
        """Remove the pod, once its node has been gone for long enough.

        Raises:
            ApiError: it could not be removed.
        """
        pod = self._api.get("pods", *key)
        if pod is None or not self._is_orphan(pod):
            return None
        age = self._ages.of((uid_of(pod), pod["spec"]["nodeName"]), timestamp()) * self._pace.scale
        if age < _GONE_SECONDS:
            return _GONE_SECONDS - age + 0.01 * self._pace.scale
        if is_active(pod):
            disrupted(self._api, pod, "DeletionByPodGC", "PodGC: node no longer exists", phase="Failed")
        self._api.delete("pods", *key, uid=uid_of(pod), grace_seconds=0)
        return None

    def _is_orphan(self, pod: Object) -> bool:
        name = pod["spec"].get("nodeName")
        return bool(name) and self._api.get("nodes", None, name) is None
