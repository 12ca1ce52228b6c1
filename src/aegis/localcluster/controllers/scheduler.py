"""The scheduler: gives each waiting pod a node, and says why one has to wait."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from aegis.localcluster.api import ClusterApi, Object, Pace, WatchEvent
from aegis.localcluster.controllers.objects import (
    Key,
    annotations_of,
    condition,
    is_terminating,
    key_of,
    timestamp,
    uid_of,
)
from aegis.localcluster.controllers.podcontrol import disrupted
from aegis.localcluster.controllers.recorder import Recorder
from aegis.localcluster.controllers.scheduling.decision import Placed, Unplaced, place, unbound
from aegis.localcluster.controllers.scheduling.preemption import ineligible, preempt
from aegis.localcluster.controllers.scheduling.snapshot import Snapshot
from aegis.localcluster.storage import SELECTED_NODE

_NAME, _CLAIMS, _VOLUMES = "default-scheduler", "persistentvolumeclaims", "persistentvolumes"
_CLASSES, _BUDGETS = "storageclasses.storage.k8s.io", "poddisruptionbudgets.policy"
_REMIND = 300.0
"""Nominal seconds after which a pod that still waits is tried, and said, again."""
_GATED = "Scheduling is blocked due to non-empty scheduling gates"
_EVERYTHING: Key = ("pods",)


class Scheduler:
    """One pass over all waiting pods, whenever something changed that may let one of them run."""

    name = _NAME
    watches = ("pods", "nodes", _CLAIMS, _VOLUMES, _CLASSES, "namespaces")

    def __init__(self, api: ClusterApi, pace: Pace) -> None:
        self._api, self._pace = api, pace
        self._recorder = Recorder(api, _NAME)
        self._said: dict[str, tuple[str, float]] = {}
        self._waiting = False

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """A pass: for a pod that waits, and, while one waits, for whatever else changes."""
        if event.resource == "pods" and event.type == "DELETED":
            self._said.pop(uid_of(event.object), None)
        fresh = event.resource == "pods" and event.type != "DELETED" and waits(event.object)
        return [_EVERYTHING] if fresh or self._waiting else []

    def sync(self, key: Key) -> float | None:  # noqa: ARG002 - there is one key
        """Place what can be placed.

        Raises:
            ApiError: a write was refused.
        """
        pods = self._api.list("pods")
        pending = sorted((p for p in pods if waits(p)), key=_urgency)
        self._waiting = bool(pending)
        if not pending:
            return None
        snapshot = Snapshot.of(
            self._api.list("nodes"),
            pods,
            self._api.list("namespaces"),
            claims=self._api.list(_CLAIMS),
            volumes=self._api.list(_VOLUMES),
            classes=self._api.list(_CLASSES),
        )
        for pod in pending:
            self._attempt(pod, snapshot)
        self._waiting = any(uid_of(p) in self._said for p in pending)
        return _REMIND if self._waiting else None

    def _attempt(self, pod: Object, snapshot: Snapshot) -> None:
        if pod["spec"].get("schedulingGates"):
            self._wait(pod, "SchedulingGated", _GATED)
            return
        outcome = place(pod, snapshot)
        if isinstance(outcome, Placed):
            if waiting := unbound(pod, snapshot):
                self._have_bound(pod, waiting, outcome.node)
            else:
                self._bind(pod, outcome.node, snapshot)
        else:
            message = self._make_room(pod, outcome, snapshot)
            self._refuse(self._api.get("pods", *key_of(pod)) or pod, message)

    def _make_room(self, pod: Object, outcome: Unplaced, snapshot: Snapshot) -> str:
        """Have less important pods go, if that helps; what there is to say meanwhile."""
        if not outcome.candidates:
            return outcome.message
        if why := ineligible(pod, snapshot):
            self._keep_free(pod, snapshot)
            return f"{outcome.why} preemption: {why}"
        found = preempt(pod, snapshot, outcome.candidates, self._api.list(_BUDGETS))
        if found is None:
            return outcome.message
        for victim in found.victims:
            self._preempt(victim, pod, found.node)
        nominated = {**(pod.get("status") or {}), "nominatedNodeName": found.node}
        self._api.update_status("pods", {**pod, "status": nominated}, manager="kube-scheduler")
        return outcome.why

    def _keep_free(self, pod: Object, snapshot: Snapshot) -> None:
        """Let nobody who comes later take the room that is being made."""
        nominated = (pod.get("status") or {}).get("nominatedNodeName")
        for view in snapshot.nodes:
            if view.name == nominated:
                view.add(pod)

    def _preempt(self, victim: Object, pod: Object, node: str) -> None:
        namespace, name = key_of(victim)
        why = f"{_NAME}: preempting to accommodate a higher priority pod"
        disrupted(self._api, victim, "PreemptionByScheduler", why)
        self._api.delete("pods", namespace, name, uid=uid_of(victim))
        self._recorder.normal(victim, "Preempted", f"Preempted by pod {uid_of(pod)} on node {node}")

    def _bind(self, pod: Object, node: str, snapshot: Snapshot) -> None:
        namespace, name = key_of(pod)
        self._api.bind(namespace, name, node)
        next(v for v in snapshot.nodes if v.name == node).add({**pod, "spec": {**pod["spec"], "nodeName": node}})
        self._said.pop(uid_of(pod), None)
        self._recorder.normal(pod, "Scheduled", f"Successfully assigned {namespace}/{name} to {node}")

    def _have_bound(self, pod: Object, claims: Sequence[Object], node: str) -> None:
        """Ask for the volumes of a pod; it gets its node when they are there."""
        for claim in claims:
            if SELECTED_NODE not in annotations_of(claim):
                chosen = {"metadata": {"annotations": {SELECTED_NODE: node}}}
                self._api.patch(_CLAIMS, *key_of(claim), chosen, manager="kube-scheduler")
        self._said.setdefault(uid_of(pod), ("", time.monotonic()))

    def _refuse(self, pod: Object, message: str) -> None:
        said, since = self._said.get(uid_of(pod), ("", 0.0))
        if said != message or time.monotonic() - since >= self._pace.real(_REMIND):
            self._recorder.warning(pod, "FailedScheduling", message)
            self._said[uid_of(pod)] = (message, time.monotonic())
        self._wait(pod, "Unschedulable", message)

    def _wait(self, pod: Object, reason: str, message: str) -> None:
        self._said.setdefault(uid_of(pod), (message, time.monotonic()))
        current = condition(pod, "PodScheduled")
        if current is not None and (current.get("reason"), current.get("message")) == (reason, message):
            return
        turned = current["lastTransitionTime"] if current and current["status"] == "False" else timestamp()
        status = pod.get("status") or {}
        others: list[Any] = [c for c in status.get("conditions") or () if c["type"] != "PodScheduled"]
        waiting = {
            "type": "PodScheduled",
            "status": "False",
            "lastProbeTime": None,
            "lastTransitionTime": turned,
            "reason": reason,
            "message": message,
        }
        changed = {**pod, "status": {"phase": "Pending", **status, "conditions": [*others, waiting]}}
        self._api.update_status("pods", changed, manager="kube-scheduler")


def waits(pod: Object) -> bool:
    """Whether a pod needs a node from this scheduler."""
    spec = pod["spec"]
    finished = (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
    ours = spec.get("schedulerName", _NAME) == _NAME
    return ours and not spec.get("nodeName") and not finished and not is_terminating(pod)


def _urgency(pod: Object) -> tuple[int, str, Sequence[str]]:
    return -(pod["spec"].get("priority") or 0), pod["metadata"]["creationTimestamp"], key_of(pod)
