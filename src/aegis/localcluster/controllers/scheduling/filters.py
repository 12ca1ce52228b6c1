"""Why a node cannot take a pod: one function a reason, in the order of the scheduler of Kubernetes. Pure.

The words are those of its FailedScheduling events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aegis.kube.selector import SelectorError, node_requirements
from aegis.localcluster.api import Object
from aegis.localcluster.controllers.scheduling.requests import pod_requests
from aegis.localcluster.controllers.scheduling.snapshot import HostPort, NodeView, host_ports

_ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - compared with, never bound


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a node is no place for a pod.

    Attributes:
        resolvable: whether evicting other pods could change it.
    """

    reasons: tuple[str, ...]
    resolvable: bool = False


Filter = Callable[[Object, NodeView], Misfit | None]


def unschedulable(pod: Object, view: NodeView) -> Misfit | None:
    """The node is cordoned."""
    cordon = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    if not (view.node.get("spec") or {}).get("unschedulable") or tolerates(pod, cordon):
        return None
    return Misfit(("node(s) were unschedulable",))


def untolerated(pod: Object, view: NodeView) -> Misfit | None:
    """The node has a taint that the pod does not tolerate."""
    for taint in view.taints:
        if taint.get("effect") in {"NoSchedule", "NoExecute"} and not tolerates(pod, taint):
            return Misfit((f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value') or ''}}}",))
    return None


def unmatched(pod: Object, view: NodeView) -> Misfit | None:
    """The node is not one that the pod's nodeSelector and node affinity ask for."""
    return None if wants_node(pod, view) else Misfit(("node(s) didn't match Pod's node affinity/selector",))


def ports_taken(pod: Object, view: NodeView) -> Misfit | None:
    """A host port that the pod wants is held by another."""
    wanted = host_ports(pod["spec"])
    if not wanted or not any(_clash(w, held) for w in wanted for held in view.host_ports()):
        return None
    return Misfit(("node(s) didn't have free ports for the requested pod ports",), resolvable=True)


def too_small(pod: Object, view: NodeView) -> Misfit | None:
    """The node has too little left of something."""
    reasons, resolvable = [], True
    if len(view.pods) + 1 > view.offered.get("pods", Decimal(0)):
        reasons.append("Too many pods")
    for name, amount in pod_requests(pod["spec"]).items():
        offered = view.offered.get(name, Decimal(0))
        if amount > 0 and amount > offered - view.used.get(name, Decimal(0)):
            reasons.append(f"Insufficient {name}")
            resolvable &= amount <= offered
    return Misfit(tuple(reasons), resolvable) if reasons else None


NODE_FILTERS: Sequence[Filter] = (unschedulable, untolerated, unmatched, ports_taken, too_small)


def tolerates(pod: Object, taint: Mapping[str, Any]) -> bool:
    """Whether a pod tolerates a taint."""
    return any(is_tolerated(t, taint) for t in pod["spec"].get("tolerations") or ())


def wants_node(pod: Object, view: NodeView) -> bool:
    """Whether the pod's nodeSelector and required node affinity allow a node."""
    spec = pod["spec"]
    if any(view.labels.get(k) != v for k, v in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or any(term_matches(t, view) for t in required.get("nodeSelectorTerms") or ())


def term_matches(term: Mapping[str, Any], view: NodeView) -> bool:
    """Whether a node selector term selects a node; an empty term selects none."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return _meets(expressions, view.labels) and _meets(fields, {"metadata.name": view.name})


def _meets(expressions: Iterable[Mapping[str, Any]], labels: Mapping[str, str]) -> bool:
    try:
        return node_requirements(expressions).matches(labels)
    except SelectorError:
        return False


def is_tolerated(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """Whether one toleration covers a taint."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def _clash(wanted: HostPort, held: HostPort) -> bool:
    same_address = wanted[2] == held[2] or _ANY_ADDRESS in {wanted[2], held[2]}
    return wanted[:2] == held[:2] and same_address
