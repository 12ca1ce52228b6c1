"""What NetworkPolicies permit between two pods (networking.k8s.io/v1).

Policies only add up: a pod that no policy selects is open; one that some select admits what any of them allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aegis.diagnosis.graph import Graph, Node
from aegis.diagnosis.reading import items, mapping, text
from aegis.diagnosis.ties import selector_of
from aegis.kube.pod_template import containers, pod_spec_of

_NAMESPACE_NAME = "kubernetes.io/metadata.name"
DNS_PORT = 53


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One end of a connection."""

    namespace: str
    labels: dict[str, str]
    namespace_labels: dict[str, str]


def peer(graph: Graph, namespace: str, labels: dict[str, str]) -> Peer:
    """An end, with its namespace's labels as far as they are known (every namespace carries its own name)."""
    node = graph.get("Namespace", "", namespace)
    return Peer(
        namespace=namespace,
        labels=labels,
        namespace_labels={_NAMESPACE_NAME: namespace, **(node.labels if node else {})},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A connection: from whom, to whom, to which port of which workload (whose containers may name the port)."""

    source: Peer
    target: Peer
    port: int | str
    workload: Node | None = None


def denying(graph: Graph, way: Way) -> Iterator[tuple[str, Node]]:
    """(`ingress` or `egress`, policy) of the policies that cut a way."""
    for direction, here, there in (("ingress", way.target, way.source), ("egress", way.source, way.target)):
        selecting = list(policies_for(graph, here, direction))
        if selecting and not any(_allows(policy, direction, there, way) for policy in selecting):
            yield from ((direction, policy) for policy in selecting)


def policies_for(graph: Graph, here: Peer, direction: str) -> Iterator[Node]:
    """The policies that select a pod for a direction."""
    for policy in graph.of_kind("NetworkPolicy", here.namespace):
        types = policy.spec.get("policyTypes") or ["Ingress", *(["Egress"] if policy.spec.get("egress") else [])]
        selects = selector_of(policy.spec.get("podSelector") or {}).matches(here.labels)
        if policy.spec and direction.capitalize() in types and selects:
            yield policy


def allows_dns(graph: Graph, here: Peer) -> bool:
    """Whether some egress rule leaves port 53 open; true where no policy selects the pod."""
    selecting = list(policies_for(graph, here, "egress"))
    rules = [rule for policy in selecting for rule in items(policy.spec.get("egress"))]
    return not selecting or any(_port_matches(rule, DNS_PORT, None) for rule in rules)


def _allows(policy: Node, direction: str, there: Peer, way: Way) -> bool:
    side = "from" if direction == "ingress" else "to"
    for rule in items(policy.spec.get(direction)):
        peers = items(rule.get(side))
        reached = not peers or any(_matches(entry, there, policy) for entry in peers)
        if reached and _port_matches(rule, way.port, way.workload):
            return True
    return False


def _matches(entry: dict[str, Any], there: Peer, policy: Node) -> bool:
    if "ipBlock" in entry:
        return text(mapping(entry["ipBlock"]).get("cidr")) in {"0.0.0.0/0", "::/0"}
    pods, namespaces = entry.get("podSelector"), entry.get("namespaceSelector")
    if namespaces is None:
        in_place = there.namespace == policy.ref.namespace
    else:
        in_place = selector_of(namespaces).matches(there.namespace_labels)
    return in_place and (pods is None or selector_of(pods).matches(there.labels))


def _port_matches(rule: dict[str, Any], port: int | str, workload: Node | None) -> bool:
    ports = items(rule.get("ports"))
    if not ports:
        return True
    numbers = {port, _number(port, workload)}
    for entry in ports:
        wanted = entry.get("port")
        end = entry.get("endPort")
        if wanted is None or wanted in numbers or _number(wanted, workload) in numbers:
            return True
        if (
            isinstance(end, int)
            and isinstance(wanted, int)
            and any(isinstance(n, int) and wanted <= n <= end for n in numbers)
        ):
            return True
    return False


def _number(port: int | str, workload: Node | None) -> int | str:
    """The number of a named container port."""
    for container in containers(pod_spec_of(workload.obj) or {}) if workload else ():
        for declared in items(container.spec.get("ports")):
            if declared.get("name") == port:
                return int(declared.get("containerPort") or 0)
    return port
