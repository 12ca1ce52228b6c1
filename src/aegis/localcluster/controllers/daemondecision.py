"""Which nodes run a DaemonSet's pod, and what changes next. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.history import HASH
from aegis.localcluster.controllers.objects import is_ready, is_terminating, labels_of
from aegis.localcluster.controllers.replicaset import pod_for
from aegis.localcluster.controllers.rollout import resolve
from aegis.localcluster.controllers.scheduling.filters import tolerates, wants_node
from aegis.localcluster.controllers.scheduling.snapshot import NodeView

Available = Callable[[Object], bool]

_NODE_NAME = "metadata.name"
_TOLERATED = (
    ("not-ready", "NoExecute"), ("unreachable", "NoExecute"), ("disk-pressure", "NoSchedule"),
    ("memory-pressure", "NoSchedule"), ("pid-pressure", "NoSchedule"), ("unschedulable", "NoSchedule"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One node, with the set's pods on it, oldest first.

    Attributes:
        wanted: the node is one that the set asks for.
        allowed: what runs there already may stay.
    """

    name: str
    wanted: bool
    allowed: bool
    pods: Sequence[Object]

    def alive(self) -> list[Object]:
        """Its pods that neither failed nor are being deleted."""
        return [p for p in self.pods if not is_terminating(p) and not _failed(p)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What changes now.

    Attributes:
        nodes: that get a pod.
        doomed: pods to delete.
    """

    nodes: Sequence[str] = ()
    doomed: Sequence[Object] = ()


def places(daemon_set: Object, nodes: Sequence[Object], pods: Sequence[Object]) -> list[Place]:
    """The nodes as a DaemonSet sees them."""
    model = _tolerating(pod_for(daemon_set))
    by_node: dict[str, list[Object]] = {}
    for pod in sorted(pods, key=lambda p: (p["metadata"]["creationTimestamp"], p["metadata"]["name"])):
        by_node.setdefault(node_of(pod), []).append(pod)
    return [_place(model, NodeView(node=n), by_node.get(n["metadata"]["name"], ())) for n in nodes]


def presence(at: Sequence[Place], revision: str) -> Step:
    """A pod on each node that is wanted, none where none is allowed, and no failed or superfluous ones."""
    create = [p.name for p in at if p.wanted and not p.pods]
    doomed: list[Object] = []
    for place in at:
        alive = place.alive()
        if not place.allowed:
            doomed += alive
            continue
        doomed += [p for p in place.pods if _failed(p) and not is_terminating(p)]
        for generation in (_of(alive, revision), _others(alive, revision)):
            doomed += generation[1:]
    return Step(nodes=create, doomed=doomed)


def rolling(daemon_set: Object, at: Sequence[Place], revision: str, available: Available) -> Step:
    """The next step of a rolling update, within what may be missing or be surplus at once."""
    wanted = [p for p in at if p.wanted]
    limits: Mapping[str, Any] = (daemon_set["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    surge = resolve(limits.get("maxSurge", 0), len(wanted), up=True)
    if surge > 0:
        return _surging(wanted, revision, available, surge)
    most = resolve(limits.get("maxUnavailable", 1), len(wanted), up=True)
    free, counted, missing = [], [], 0
    for place in wanted:
        old = _others(place.alive(), revision)
        if not any(available(p) for p in place.alive()):
            missing += 1
            free += old  # it serves nobody: nothing is lost with it
        else:
            counted += old
    return Step(doomed=[*free, *counted[: max(0, most - missing)]])


def pod_of(daemon_set: Object, node: str, revision: str) -> Object:
    """The pod for one node: tied to it by affinity, so that the scheduler binds it there."""
    pod = _tolerating(pod_for(daemon_set))
    metadata, spec = pod["metadata"], pod["spec"]
    affinity = spec.get("affinity") or {}
    here = {"matchFields": [{"key": _NODE_NAME, "operator": "In", "values": [node]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [here]}}
    tied = {**affinity, "nodeAffinity": {**(affinity.get("nodeAffinity") or {}), **required}}
    labelled = {**metadata, "labels": {**metadata.get("labels", {}), HASH: revision}}
    return {**pod, "metadata": labelled, "spec": {**spec, "affinity": tied}}


def node_of(pod: Object) -> str:
    """The node that a daemon's pod is for, bound already or not; empty if it is for none."""
    if name := pod["spec"].get("nodeName"):
        return str(name)
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field.get("key") == _NODE_NAME and len(field.get("values") or ()) == 1:
                return str(field["values"][0])
    return ""


def status_of(daemon_set: Object, at: Sequence[Place], revision: str, available: Available) -> Object:
    """The numbers of a DaemonSet's status."""
    wanted = [p for p in at if p.wanted]
    held = [alive for p in wanted if (alive := p.alive())]
    able = sum(1 for pods in held if any(available(p) for p in pods))
    counts = {
        "updatedNumberScheduled": sum(1 for pods in held if _of(pods, revision)),
        "numberAvailable": able,
        "numberUnavailable": len(wanted) - able,
    }
    return {
        "currentNumberScheduled": len(held),
        "desiredNumberScheduled": len(wanted),
        "numberMisscheduled": sum(1 for p in at if not p.wanted and p.alive()),
        "numberReady": sum(1 for pods in held if any(is_ready(p) for p in pods)),
        "observedGeneration": daemon_set["metadata"].get("generation", 1),
        **{k: v for k, v in counts.items() if v},
    }


def _surging(wanted: Sequence[Place], revision: str, available: Available, surge: int) -> Step:
    doomed: list[Object] = []
    free, counted, surplus = [], [], 0
    for place in wanted:
        new, old = _of(place.alive(), revision), _others(place.alive(), revision)
        if not old:
            continue
        if any(available(p) for p in new):
            doomed += old
        elif new:
            surplus += 1
        elif any(available(p) for p in old):
            counted.append(place.name)
        else:
            free.append(place.name)
    return Step(nodes=[*free, *counted[: max(0, surge - surplus)]], doomed=doomed)


def _place(model: Object, view: NodeView, pods: Sequence[Object]) -> Place:
    fixed = model["spec"].get("nodeName")
    here = wants_node(model, view) and fixed in {None, "", view.name}
    against = {t.get("effect") for t in view.taints if not tolerates(model, t)}
    allowed = here and "NoExecute" not in against
    return Place(name=view.name, wanted=allowed and "NoSchedule" not in against, allowed=allowed, pods=pods)


def _tolerating(pod: Object) -> Object:
    """The pod with the tolerations that every daemon has."""
    given = pod["spec"].get("tolerations") or []
    added = [{"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect} for key, effect in _TOLERATED]
    return {**pod, "spec": {**pod["spec"], "tolerations": [*given, *(t for t in added if t not in given)]}}


def _of(pods: Sequence[Object], revision: str) -> list[Object]:
    return [p for p in pods if labels_of(p).get(HASH) == revision]


def _others(pods: Sequence[Object], revision: str) -> list[Object]:
    return [p for p in pods if labels_of(p).get(HASH) != revision]


def _failed(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}
