"""The ReplicaSet controller: as many pods as asked for, adopted, made or deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aegis.kube.selector import label_selector
from aegis.localcluster.api import ClusterApi, Object, Pace, WatchEvent
from aegis.localcluster.controllers.ages import Ages
from aegis.localcluster.controllers.objects import (
    Key,
    annotations_of,
    condition,
    controller_of,
    controller_reference,
    is_active,
    is_ready,
    is_terminating,
    key_of,
    labels_of,
    timestamp,
    uid_of,
)
from aegis.localcluster.controllers.ownership import claim
from aegis.localcluster.controllers.recorder import Recorder
from aegis.localcluster.status import ApiError

_SETS, _MANAGER = "replicasets.apps", "kube-controller-manager"
_BURST = 500
_COST = "controller.kubernetes.io/pod-deletion-cost"


@dataclass(slots=True)
class _Outcome:
    """What came of creating or deleting pods."""

    error: ApiError | None = None
    reason: str = ""
    pods: list[Object] = field(default_factory=list)


class ReplicaSetController:
    """Brings ReplicaSets to their number of pods."""

    name = "replicaset-controller"
    watches = (_SETS, "pods")

    def __init__(self, api: ClusterApi, pace: Pace) -> None:
        self._api, self._pace = api, pace
        self._recorder = Recorder(api, self.name)
        self._ages = Ages()

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The ReplicaSet itself, the owner of a pod, or whoever may adopt an orphan."""
        if event.resource == _SETS:
            return [key_of(event.object)]
        namespace, owner = event.object["metadata"]["namespace"], controller_of(event.object)
        if owner is not None:
            return [(namespace, owner["name"])] if owner["kind"] == "ReplicaSet" else []
        sets, labels = self._api.list(_SETS, namespace), labels_of(event.object)
        return [key_of(r) for r in sets if label_selector(r["spec"]["selector"]).matches(labels)]

    def sync(self, key: Key) -> float | None:
        """Create or delete pods, then write the status.

        Raises:
            ApiError: a write was refused, as by a quota; the status tells it too.
        """
        replica_set = self._api.get(_SETS, *key)
        if replica_set is None:
            return None
        selector = label_selector(replica_set["spec"]["selector"])
        candidates = [p for p in self._api.list("pods", key[0]) if is_active(p)]
        pods = claim(self._api, "pods", replica_set, candidates, matches=lambda p: selector.matches(labels_of(p)))
        outcome = _Outcome(pods=pods)
        if not is_terminating(replica_set):
            outcome = self._manage(replica_set, pods)
        again = self._write(replica_set, outcome)
        if outcome.error is not None:
            raise outcome.error
        return again

    def _manage(self, replica_set: Object, pods: list[Object]) -> _Outcome:
        missing = replica_set["spec"].get("replicas", 1) - len(pods)
        if missing > 0:
            return self._create(replica_set, pods, min(missing, _BURST))
        if missing < 0:
            return self._delete(replica_set, pods, min(-missing, _BURST))
        return _Outcome(pods=pods)

    def _create(self, replica_set: Object, pods: list[Object], count: int) -> _Outcome:
        wanted = pod_for(replica_set)
        made: list[Object] = []
        try:
            while len(made) < count:
                made.append(self._api.create("pods", wanted, manager=_MANAGER))
                self._recorder.normal(replica_set, "SuccessfulCreate", f"Created pod: {made[-1]['metadata']['name']}")
        except ApiError as error:
            if "being terminated" not in error.message:
                self._recorder.warning(replica_set, "FailedCreate", f"Error creating: {error.message}")
            return _Outcome(error, "FailedCreate", pods)
        return _Outcome(pods=[*pods, *made])

    def _delete(self, replica_set: Object, pods: list[Object], count: int) -> _Outcome:
        doomed = first_to_go(pods)[:count]
        for pod in doomed:
            name = pod["metadata"]["name"]
            try:
                self._api.delete("pods", pod["metadata"]["namespace"], name, uid=uid_of(pod))
            except ApiError as error:
                if error.code == 404:  # noqa: PLR2004 - gone is what was wanted
                    continue
                self._recorder.warning(replica_set, "FailedDelete", f"Error deleting: {error.message}")
                return _Outcome(error, "FailedDelete", pods)
            self._recorder.normal(replica_set, "SuccessfulDelete", f"Deleted pod: {name}")
        gone = {uid_of(p) for p in doomed}
        return _Outcome(pods=[p for p in pods if uid_of(p) not in gone])

    def _write(self, replica_set: Object, outcome: _Outcome) -> float | None:
        wait = replica_set["spec"].get("minReadySeconds", 0)
        ready = [p for p in outcome.pods if is_ready(p)]
        left = [wait - self._ready_for(p) for p in ready] if wait else [0.0] * len(ready)
        available = sum(1 for seconds in left if seconds <= 0)
        new = status_of(replica_set, outcome.pods, available)
        if conditions := _conditions(replica_set, outcome):
            new["conditions"] = conditions
        if new != replica_set.get("status"):
            stored = self._api.get(_SETS, *key_of(replica_set))
            if stored is not None and uid_of(stored) == uid_of(replica_set):
                self._api.update_status(_SETS, {**stored, "status": new}, manager=_MANAGER)
        waiting = [seconds for seconds in left if seconds > 0]
        return min(waiting) + 0.01 * self._pace.scale if waiting else None

    def _ready_for(self, pod: Object) -> float:
        """Nominal seconds since a pod became ready."""
        turned = (condition(pod, "Ready") or {}).get("lastTransitionTime") or pod["metadata"]["creationTimestamp"]
        return self._ages.of((uid_of(pod), turned), turned) * self._pace.scale


def pod_for(replica_set: Object) -> Object:
    """The pod that a ReplicaSet's template describes."""
    template = replica_set["spec"]["template"]
    metadata = template.get("metadata") or {}
    kept = {k: metadata[k] for k in ("labels", "annotations", "finalizers") if metadata.get(k)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **kept,
            "generateName": f"{replica_set['metadata']['name']}-",
            "namespace": replica_set["metadata"]["namespace"],
            "ownerReferences": [controller_reference(replica_set)],
        },
        "spec": template["spec"],
    }


def first_to_go(pods: Sequence[Object]) -> list[Object]:
    """Pods in the order in which a ReplicaSet gives them up.

    Unassigned before assigned, pending before running, unready before ready, cheaper before dearer, from crowded nodes
    first, then the shortest ready, the most restarted and the youngest.
    """
    crowd = Counter((p["spec"].get("nodeName") or "") for p in pods)

    def rank(pod: Object) -> tuple[Any, ...]:
        status = pod.get("status") or {}
        node = pod["spec"].get("nodeName") or ""
        restarts = max((c.get("restartCount", 0) for c in status.get("containerStatuses") or ()), default=0)
        since = (condition(pod, "Ready") or {}).get("lastTransitionTime") or ""
        return (
            bool(node),
            {"Pending": 0, "Unknown": 1, "Running": 2}.get(status.get("phase", "Pending"), 0),
            is_ready(pod),
            _cost(pod),
            -crowd[node],
            _newest_first(since) if is_ready(pod) else (),
            -restarts,
            _newest_first(pod["metadata"]["creationTimestamp"]),
        )

    return sorted(pods, key=rank)


def status_of(replica_set: Object, pods: Sequence[Object], available: int) -> Object:
    """The counts of a ReplicaSet's status; a zero is left out, but for `replicas`."""
    labels = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    labelled = sum(1 for p in pods if labels.items() <= labels_of(p).items())
    counts = {
        "fullyLabeledReplicas": labelled,
        "readyReplicas": sum(1 for p in pods if is_ready(p)),
        "availableReplicas": available,
    }
    return {
        "replicas": len(pods),
        "observedGeneration": replica_set["metadata"].get("generation", 1),
        **{k: v for k, v in counts.items() if v},
    }


def _conditions(replica_set: Object, outcome: _Outcome) -> list[dict[str, Any]]:
    current = condition(replica_set, "ReplicaFailure")
    others = [c for c in (replica_set.get("status") or {}).get("conditions") or () if c["type"] != "ReplicaFailure"]
    if outcome.error is None:
        return others
    if current is not None:  # as it was said first: a new text at each try would be a change that asks for another try
        return [*others, dict(current)]
    failure = {
        "type": "ReplicaFailure",
        "status": "True",
        "lastTransitionTime": timestamp(),
        "reason": outcome.reason,
        "message": outcome.error.message,
    }
    return [*others, failure]


def _cost(pod: Object) -> int:
    text = annotations_of(pod).get(_COST, "0")
    return int(text) if text.lstrip("-").isdecimal() else 0


def _newest_first(stamp: str) -> tuple[int, ...]:
    """A key that sorts RFC 3339 times backwards."""
    return tuple(-ord(c) for c in stamp)
