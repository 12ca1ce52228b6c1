"""Why a node cannot take a pod because of where other pods run: affinity, anti-affinity and spread. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis.kube.selector import Selector, SelectorError, label_selector
from aegis.localcluster.api import Object
from aegis.localcluster.controllers.objects import is_terminating, labels_of
from aegis.localcluster.controllers.scheduling.filters import Misfit, tolerates, wants_node
from aegis.localcluster.controllers.scheduling.snapshot import NodeView, Snapshot

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_SPREAD = "node(s) didn't match pod topology spread constraints"


@dataclass(frozen=True, slots=True)
class Term:
    """One required pod (anti-)affinity term, seen from the pod that carries it."""

    selector: Selector
    namespaces: frozenset[str]
    topology_key: str

    def selects(self, pod: Object) -> bool:
        """Whether a pod is one that the term speaks of."""
        return pod["metadata"]["namespace"] in self.namespaces and self.selector.matches(labels_of(pod))


def terms(pod: Object, kind: str, snapshot: Snapshot) -> list[Term]:
    """The required terms of `podAffinity` or `podAntiAffinity`."""
    affinity = (pod["spec"].get("affinity") or {}).get(kind) or {}
    return [_term(pod, t, snapshot) for t in affinity.get(_REQUIRED) or ()]


def misfit(pod: Object, view: NodeView, snapshot: Snapshot) -> Misfit | None:
    """What the places of other pods say against a node."""
    return _badly_spread(pod, view, snapshot) or _apart(pod, view, snapshot)


def _apart(pod: Object, view: NodeView, snapshot: Snapshot) -> Misfit | None:
    wanted = terms(pod, "podAffinity", snapshot)
    if not all(_near(pod, term, view, snapshot, alone=_is_first(pod, wanted, snapshot)) for term in wanted):
        return Misfit(("node(s) didn't match pod affinity rules",))
    for term in terms(pod, "podAntiAffinity", snapshot):
        if any(term.selects(other) for other in _in_domain(term.topology_key, view, snapshot)):
            return Misfit(("node(s) didn't match pod anti-affinity rules",), resolvable=True)
    if _unwelcome(pod, view, snapshot):
        return Misfit(("node(s) didn't satisfy existing pods anti-affinity rules",), resolvable=True)
    return None


def _near(pod: Object, term: Term, view: NodeView, snapshot: Snapshot, *, alone: bool) -> bool:
    if term.topology_key not in view.labels:
        return False
    return (alone and term.selects(pod)) or any(
        term.selects(other) for other in _in_domain(term.topology_key, view, snapshot)
    )


def _is_first(pod: Object, wanted: Sequence[Term], snapshot: Snapshot) -> bool:
    """Whether the pod asks to be near its own kind, and none of that kind runs yet."""
    running = [p for v in snapshot.nodes for p in v.pods]
    return all(t.selects(pod) for t in wanted) and not any(t.selects(p) for t in wanted for p in running)


def _unwelcome(pod: Object, view: NodeView, snapshot: Snapshot) -> bool:
    return any(
        _forbids(other, holder, pod, view=view, snapshot=snapshot) for holder in snapshot.nodes for other in holder.pods
    )


def _forbids(other: Object, holder: NodeView, pod: Object, *, view: NodeView, snapshot: Snapshot) -> bool:
    """Whether a pod that runs on `holder` keeps this one away from `view`."""
    for term in terms(other, "podAntiAffinity", snapshot):
        domain = holder.labels.get(term.topology_key)
        if domain is not None and domain == view.labels.get(term.topology_key) and term.selects(pod):
            return True
    return False


def _in_domain(topology_key: str, view: NodeView, snapshot: Snapshot) -> list[Object]:
    domain = view.labels.get(topology_key)
    if domain is None:
        return []
    return [p for v in snapshot.nodes if v.labels.get(topology_key) == domain for p in v.pods]


def _badly_spread(pod: Object, view: NodeView, snapshot: Snapshot) -> Misfit | None:
    hard = [
        c for c in pod["spec"].get("topologySpreadConstraints") or () if c.get("whenUnsatisfiable") == "DoNotSchedule"
    ]
    for constraint in hard:
        if constraint["topologyKey"] not in view.labels:
            return Misfit((f"{_SPREAD} (missing required label)",))
    for constraint in hard:
        if _skew(pod, constraint, view, snapshot) > constraint["maxSkew"]:
            return Misfit((_SPREAD,), resolvable=True)
    return None


def _skew(pod: Object, constraint: Mapping[str, Any], view: NodeView, snapshot: Snapshot) -> int:
    key, selector = constraint["topologyKey"], _selector(pod, constraint)
    counts: dict[str, int] = {}
    for other in snapshot.nodes:
        domain = other.labels.get(key)
        if domain is None or not _counts(pod, constraint, other):
            continue
        counts.setdefault(domain, 0)
        counts[domain] += sum(1 for p in other.pods if _is_alike(p, pod, selector))
    least = min(counts.values(), default=0)
    if len(counts) < constraint.get("minDomains", 1):
        least = 0
    own = 1 if selector.matches(labels_of(pod)) else 0
    return counts.get(view.labels[key], 0) + own - least


def _counts(pod: Object, constraint: Mapping[str, Any], view: NodeView) -> bool:
    """Whether a node is one of those among which the pod is to be spread."""
    if constraint.get("nodeAffinityPolicy", "Honor") == "Honor" and not wants_node(pod, view):
        return False
    if constraint.get("nodeTaintsPolicy", "Ignore") == "Ignore":
        return True
    return all(tolerates(pod, t) for t in view.taints if t.get("effect") in {"NoSchedule", "NoExecute"})


def _is_alike(other: Object, pod: Object, selector: Selector) -> bool:
    same_namespace = other["metadata"]["namespace"] == pod["metadata"]["namespace"]
    return same_namespace and not is_terminating(other) and selector.matches(labels_of(other))


def _term(pod: Object, term: Mapping[str, Any], snapshot: Snapshot) -> Term:
    names = set(term.get("namespaces") or ())
    if term.get("namespaceSelector") is not None:
        chosen = _parsed(term["namespaceSelector"])
        names |= {name for name, labels in snapshot.namespaces.items() if chosen.matches(labels)}
    elif not names:
        names = {pod["metadata"]["namespace"]}
    return Term(_selector(pod, term), frozenset(names), term["topologyKey"])


def _selector(pod: Object, term: Mapping[str, Any]) -> Selector:
    """A term's labelSelector, narrowed by the pod's own values of `matchLabelKeys`."""
    base, labels = term.get("labelSelector"), labels_of(pod)
    narrowed = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
        for key in term.get(field) or ()
        if key in labels
    ]
    if base is None or not narrowed:
        return _parsed(base)
    return _parsed({**base, "matchExpressions": [*(base.get("matchExpressions") or ()), *narrowed]})


def _parsed(selector: Mapping[str, Any] | None) -> Selector:
    try:
        return label_selector(selector)
    except SelectorError:
        return Selector(nothing=True)
