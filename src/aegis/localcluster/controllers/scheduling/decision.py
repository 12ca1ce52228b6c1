"""The node for a pod, or the sentence that says why there is none. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.objects import controller_of, is_terminating
from aegis.localcluster.controllers.scheduling.filters import NODE_FILTERS, Misfit, term_matches, tolerates
from aegis.localcluster.controllers.scheduling.requests import assumed_requests
from aegis.localcluster.controllers.scheduling.snapshot import NodeView, Snapshot
from aegis.localcluster.controllers.scheduling.topology import misfit
from aegis.localcluster.storage import claims_of, is_bound

_HOPELESS = "Preemption is not helpful for scheduling"
_NO_VICTIMS = "No preemption victims found for incoming pod"
_NO_NODES = "no nodes available to schedule pods"


@dataclass(frozen=True, slots=True)
class Placed:
    """The node that takes the pod."""

    node: str


@dataclass(frozen=True, slots=True)
class Unplaced:
    """No node takes the pod.

    Attributes:
        message: why, and that making others go would not help.
        why: the first half of it.
        candidates: the nodes where making others go might help.
    """

    message: str
    why: str = ""
    candidates: tuple[str, ...] = ()


def place(pod: Object, snapshot: Snapshot) -> Placed | Unplaced:
    """Choose a node for a pod."""
    if not snapshot.nodes:
        return Unplaced(_NO_NODES)
    if trouble := volume_trouble(pod, snapshot):
        count = len(snapshot.nodes)
        return Unplaced(f"0/{count} nodes are available: {trouble}. {_preemption({_NO_VICTIMS: count}, count)}")
    misfits: dict[str, Misfit] = {}
    fitting: list[NodeView] = []
    for view in snapshot.nodes:
        found = node_misfit(pod, view, snapshot)
        if found is None:
            fitting.append(view)
        else:
            misfits[view.name] = found
    if not fitting:
        why, preemption = refusal(misfits)
        candidates = tuple(name for name, found in misfits.items() if found.resolvable)
        return Unplaced(f"{why} {preemption}", why, candidates)
    return Placed(max(fitting, key=lambda v: (score(pod, v), v.name)).name)


def node_misfit(pod: Object, view: NodeView, snapshot: Snapshot) -> Misfit | None:
    """The first reason against a node, or None."""
    for check in NODE_FILTERS:
        if (found := check(pod, view)) is not None:
            return found
    return _out_of_reach(pod, view, snapshot) or misfit(pod, view, snapshot)


def refusal(misfits: Mapping[str, Misfit]) -> tuple[str, str]:
    """The two halves of the message of a FailedScheduling event, when every node was found unfit."""
    count = len(misfits)
    reasons = Counter(reason for m in misfits.values() for reason in m.reasons)
    preemption = Counter(_NO_VICTIMS if m.resolvable else _HOPELESS for m in misfits.values())
    return f"0/{count} nodes are available: {_histogram(reasons)}.", _preemption(preemption, count)


def score(pod: Object, view: NodeView) -> Decimal:
    """How well a fitting node suits: idle, without alike pods, preferred, and free of soft taints."""
    controller = controller_of(pod)
    alike = [
        p for p in view.pods if controller is not None and (controller_of(p) or {}).get("uid") == controller["uid"]
    ]
    soft = [t for t in view.taints if t.get("effect") == "PreferNoSchedule" and not tolerates(pod, t)]
    return _idle(pod, view) + _preference(pod, view) - 25 * len(alike) - 300 * len(soft)


def volume_trouble(pod: Object, snapshot: Snapshot) -> str:
    """Why the pod's claims keep it from every node; empty if they do not."""
    for name in claims_of(pod):
        claim = snapshot.claims.get((pod["metadata"]["namespace"], name))
        if claim is None:
            return f'persistentvolumeclaim "{name}" not found'
        if is_terminating(claim):
            return f'persistentvolumeclaim "{name}" is being deleted'
        if not is_bound(claim) and claim["spec"].get("storageClassName") not in snapshot.patient:
            return "pod has unbound immediate PersistentVolumeClaims"
    return ""


def unbound(pod: Object, snapshot: Snapshot) -> list[Object]:
    """The pod's claims that are to be bound now that it has a node."""
    claims = [snapshot.claims[pod["metadata"]["namespace"], name] for name in claims_of(pod)]
    return [claim for claim in claims if not is_bound(claim)]


def _out_of_reach(pod: Object, view: NodeView, snapshot: Snapshot) -> Misfit | None:
    """A volume of the pod that this node cannot reach."""
    for name in claims_of(pod):
        claim = snapshot.claims.get((pod["metadata"]["namespace"], name)) or {"spec": {}}
        volume = snapshot.volumes.get(claim["spec"].get("volumeName") or "") or {"spec": {}}
        required = (volume["spec"].get("nodeAffinity") or {}).get("required")
        if required and not any(term_matches(t, view) for t in required.get("nodeSelectorTerms") or ()):
            return Misfit(("node(s) didn't match PersistentVolume's node affinity",))
    return None


def _idle(pod: Object, view: NodeView) -> Decimal:
    """The share of cpu and memory that would be left, 0 to 100."""
    shares: list[Decimal] = []
    for name, own in assumed_requests(pod["spec"]).items():
        offered = view.offered.get(name, Decimal(0))
        used = sum((assumed_requests(p["spec"])[name] for p in view.pods), own)
        shares.append(max(Decimal(0), (offered - used) / offered) if offered else Decimal(0))
    return 100 * sum(shares, Decimal(0)) / len(shares)


def _preference(pod: Object, view: NodeView) -> int:
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    preferred: Sequence[Object] = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    return sum(p["weight"] for p in preferred if term_matches(p.get("preference") or {}, view))


def _preemption(counts: Mapping[str, int], nodes: int) -> str:
    return f"preemption: 0/{nodes} nodes are available: {_histogram(counts)}."


def _histogram(counts: Mapping[str, int]) -> str:
    return ", ".join(sorted(f"{n} {reason}" for reason, n in counts.items()))
