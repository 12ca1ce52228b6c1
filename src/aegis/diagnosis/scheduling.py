"""What nodes offer and what pods ask: the arithmetic behind "Insufficient cpu"."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from aegis.diagnosis.graph import Graph, Node, Tie
from aegis.diagnosis.reading import at, items, quantity
from aegis.kube.pod_template import ContainerAt, containers, pod_spec_of
from aegis.model.refs import Json

_NANO = Decimal("1e-9")
_SHARE = Decimal("0.8")
"""Of what is free: the rest is left for what comes and goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one node offers of one resource."""

    node: Node
    allocatable: Decimal
    free: Decimal


def offers(graph: Graph, resource: str, *, without: frozenset[str] = frozenset()) -> tuple[Offer, ...]:
    """Every schedulable node's offer, the largest first; pods of the named workloads (by pod name) do not count."""
    found = []
    for node in graph.of_kind("Node"):
        allocatable = quantity(at(node.obj, "status", "allocatable", resource))
        if allocatable is None or node.spec.get("unschedulable") or _tainted(node):
            continue
        pods = [graph.node(edge.source) for edge in graph.into(node.key, Tie.RUNS_ON)]
        used = sum((asked(pod.spec, resource) for pod in pods if pod.ref.name not in without), Decimal(0))
        found.append(Offer(node=node, allocatable=allocatable, free=max(allocatable - used, Decimal(0))))
    return tuple(sorted(found, key=lambda offer: (-offer.free, offer.node.ref.name)))


def asked(pod_spec: Json, resource: str) -> Decimal:
    """What a pod asks: the sum of its containers, or the largest init container if that asks more."""
    every = containers(pod_spec)
    running = sum((request(found, resource) for found in every if found.group == "containers"), Decimal(0))
    starting = [request(found, resource) for found in every if found.group == "initContainers"]
    return max([running, *starting])


def request(found: ContainerAt, resource: str) -> Decimal:
    """What one container asks; its limit, where it only names one."""
    for field in ("requests", "limits"):
        value = quantity(at(found.spec, "resources", field, resource))
        if value is not None:
            return value
    return Decimal(0)


def fitting_request(offered: tuple[Offer, ...], pods: int) -> Decimal:
    """The largest request with which so many pods fit on the nodes, with room to spare; 0 where none does."""
    usable = [offer.free * _SHARE for offer in offered]
    shares = {(room / share).quantize(_NANO, ROUND_DOWN) for room in usable if room > 0 for share in range(1, pods + 1)}
    candidates = sorted((share for share in shares if share > 0), reverse=True)
    return next((size for size in candidates if sum(int(room / size) for room in usable) >= pods), Decimal(0))


def heaviest(workload: Node, resource: str) -> ContainerAt | None:
    """The container that asks most."""
    found = [c for c in containers(pod_spec_of(workload.obj) or {}) if c.group == "containers"]
    return max(found, key=lambda c: (request(c, resource), c.name), default=None)


def _tainted(node: Node) -> bool:
    return any(taint.get("effect") in {"NoSchedule", "NoExecute"} for taint in items(node.spec.get("taints")))
