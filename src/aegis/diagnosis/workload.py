"""A workload as the graph shows it: its top owner, its pods, and how each of its containers does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from aegis.diagnosis.graph import Graph, Key, Node, Tie
from aegis.diagnosis.reading import at, items, mapping, number, text, time_of
from aegis.kube.pod_template import containers, pod_spec_of

_MOST_OWNERS = 6
_API_VERSIONS = {
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerView:
    """One container of a pod: what it should be and how it does."""

    pod: Node
    name: str
    init: bool
    spec: dict[str, object]
    status: dict[str, object]

    @property
    def waiting(self) -> dict[str, object]:
        """Why it waits; empty while it does not."""
        return mapping(at(self.status, "state", "waiting"))

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return isinstance(at(self.status, "state", "running"), dict)

    @property
    def ready(self) -> bool:
        """Whether it is ready."""
        return self.status.get("ready") is True

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return number(self.status.get("restartCount"))

    @property
    def ended(self) -> dict[str, object]:
        """Its newest end; empty where it never ended."""
        return mapping(at(self.status, "state", "terminated")) or mapping(at(self.status, "lastState", "terminated"))

    @property
    def image(self) -> str:
        """The image it should run."""
        return text(self.spec.get("image")) or text(self.status.get("image"))

    @property
    def ended_at(self) -> datetime | None:
        """When it ended last."""
        return time_of(self.ended.get("finishedAt"))


def container_views(pod: Node) -> tuple[ContainerView, ...]:
    """The containers of a pod, init containers first; one that only the status names counts too."""
    statuses = {
        text(status.get("name")): status
        for field in ("initContainerStatuses", "containerStatuses")
        for status in items(pod.status.get(field))
    }
    views = [
        ContainerView(
            pod=pod,
            name=at_.name,
            init=at_.group == "initContainers",
            spec=dict(at_.spec),
            status=statuses.pop(at_.name, {}),
        )
        for at_ in containers(pod.spec)
        if at_.group != "ephemeralContainers"
    ]
    views += [
        ContainerView(pod=pod, name=name, init=False, spec={}, status=status) for name, status in statuses.items()
    ]
    return tuple(views)


def controller_of(graph: Graph, node: Node) -> Node | None:
    """The object that controls this one, whether the evidence holds it or only its name."""
    edges = graph.into(node.key, Tie.OWNS)
    chosen = next((edge for edge in edges if edge.detail == "controller"), edges[0] if edges else None)
    if chosen is not None:
        return graph.node(chosen.source, api_version=_API_VERSIONS.get(chosen.source[0], "v1"))
    return None


def top_owner(graph: Graph, node: Node) -> Node:
    """The object at the top of the chain of controllers: what a person wrote."""
    current, below = node, node
    for _ in range(_MOST_OWNERS):
        owner = controller_of(graph, current)
        if owner is None or owner.key[0] == "Node":
            break
        below, current = current, owner
    if current.ref.kind == "ReplicaSet" and not current.present:
        return _deployment_behind(graph, current, below)
    return current


def pods_of(graph: Graph, node: Node) -> tuple[Node, ...]:
    """The pods that a workload owns through any number of controllers; a Pod is its own."""
    if node.ref.kind == "Pod":
        return (node,) if node.present else ()
    if node.ref.kind == "Service":
        edges = graph.out(node.key, Tie.SELECTS)
        return tuple(graph.node(edge.target) for edge in edges)
    return tuple(graph.node(edge.target) for edge in graph.out(node.key, Tie.RUNS))


def owners_of(graph: Graph, pod: Node) -> Iterator[Key]:
    """The controllers above a pod, the nearest first; the top also where the evidence only suggests it."""
    current: Node | None = pod
    for _ in range(_MOST_OWNERS):
        current = controller_of(graph, current) if current else None
        if current is None or current.key[0] == "Node":
            break
        yield current.key
    yield top_owner(graph, pod).key


def _deployment_behind(graph: Graph, replica_set: Node, pod: Node) -> Node:
    """The Deployment of a ReplicaSet that the evidence only names: the pod's template hash ends the name."""
    suffix = pod.labels.get("pod-template-hash", "")
    name, _, last = replica_set.ref.name.rpartition("-")
    if not name or not last or (suffix and suffix != last):
        return replica_set
    key = ("Deployment", replica_set.ref.namespace, name)
    return graph.node(key, api_version="apps/v1")


def template_container(node: Node, name: str) -> dict[str, object]:
    """A container as the workload's template writes it; empty where it has none of that name."""
    spec = pod_spec_of(node.obj) or {}
    return next((dict(found.spec) for found in containers(spec) if found.name == name), {})
