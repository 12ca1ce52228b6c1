"""The DaemonSet controller: one pod on every node that fits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from aegis.kube.selector import label_selector
from aegis.localcluster.api import ClusterApi, Object, Pace, WatchEvent
from aegis.localcluster.controllers.availability import Availability
from aegis.localcluster.controllers.daemondecision import (
    Place,
    Step,
    places,
    pod_of,
    presence,
    rolling,
    status_of,
)
from aegis.localcluster.controllers.history import HASH, History, Revision
from aegis.localcluster.controllers.objects import Key, controller_of, is_terminating, key_of, labels_of, uid_of
from aegis.localcluster.controllers.ownership import claim
from aegis.localcluster.controllers.podcontrol import PodControl
from aegis.localcluster.controllers.recorder import Recorder

_SETS, _MANAGER = "daemonsets.apps", "kube-controller-manager"


class DaemonSetController:
    """Brings DaemonSets to their nodes."""

    name = "daemonset-controller"
    watches = (_SETS, "pods", "nodes")

    def __init__(self, api: ClusterApi, pace: Pace) -> None:
        self._api = api
        self._control = PodControl(api, Recorder(api, self.name))
        self._availability = Availability(pace)
        self._history = History(api)
        self._nodes: dict[str, Any] = {}

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The DaemonSet itself, the owner of a pod, or every set where a node came, went or changed its nature."""
        if event.resource == _SETS:
            return [key_of(event.object)]
        if event.resource == "nodes":
            return [key_of(s) for s in self._api.list(_SETS)] if self._is_news(event) else []
        owner = controller_of(event.object)
        if owner is None or owner["kind"] != "DaemonSet":
            return []
        return [(event.object["metadata"]["namespace"], owner["name"])]

    def sync(self, key: Key) -> float | None:
        """Make or delete pods, then write the status.

        Raises:
            ApiError: a write was refused, as by a quota.
        """
        daemon_set = self._api.get(_SETS, *key)
        if daemon_set is None or is_terminating(daemon_set):
            return None
        revision = self._history.current(daemon_set)
        at = self._places(daemon_set)
        try:
            self._carry_out(daemon_set, presence(at, revision.hash), revision)
            if (daemon_set["spec"].get("updateStrategy") or {}).get("type") != "OnDelete":
                step = rolling(daemon_set, self._places(daemon_set), revision.hash, self._test(daemon_set))
                self._carry_out(daemon_set, step, revision)
        finally:
            again = self._write(daemon_set, revision)
        self._history.trim(daemon_set, [revision.name, *(labels_of(p).get(HASH, "") for x in at for p in x.pods)])
        return again

    def _is_news(self, event: WatchEvent) -> bool:
        name = event.object["metadata"]["name"]
        nature = None
        if event.type != "DELETED":
            nature = (labels_of(event.object), event.object.get("spec"))
        before, self._nodes[name] = self._nodes.get(name), nature
        return bool(before != nature)

    def _places(self, daemon_set: Object) -> list[Place]:
        return places(daemon_set, self._api.list("nodes"), self._pods(daemon_set))

    def _pods(self, daemon_set: Object) -> list[Object]:
        selector = label_selector(daemon_set["spec"]["selector"])
        candidates = self._api.list("pods", daemon_set["metadata"]["namespace"])
        return claim(self._api, "pods", daemon_set, candidates, matches=lambda p: selector.matches(labels_of(p)))

    def _test(self, daemon_set: Object) -> Any:
        least = daemon_set["spec"].get("minReadySeconds", 0)
        return lambda pod: self._availability.left(pod, least) <= 0

    def _carry_out(self, daemon_set: Object, step: Step, revision: Revision) -> None:
        self._control.delete(daemon_set, step.doomed)
        for node in step.nodes:
            self._control.create(daemon_set, pod_of(daemon_set, node, revision.hash))

    def _write(self, daemon_set: Object, revision: Revision) -> float | None:
        at = self._places(daemon_set)
        status = status_of(daemon_set, at, revision.hash, self._test(daemon_set))
        stored = self._api.get(_SETS, *key_of(daemon_set))
        if stored is not None and uid_of(stored) == uid_of(daemon_set) and status != stored.get("status"):
            self._api.update_status(_SETS, {**stored, "status": status}, manager=_MANAGER)
        least = daemon_set["spec"].get("minReadySeconds", 0)
        waiting = [left for x in at for p in x.pods if (left := self._availability.left(p, least)) > 0]
        return self._availability.again(min(waiting, default=math.inf))
