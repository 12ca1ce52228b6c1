"""Builds the causal graph: reads out of the objects what ties them together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aegis.diagnosis.calls import calls_of
from aegis.diagnosis.graph import Edge, Graph, Key, Node, Tie
from aegis.diagnosis.reading import at, items, mapping, text
from aegis.diagnosis.workload import owners_of
from aegis.kube.pod_template import pod_spec_of, references
from aegis.kube.selector import Selector, SelectorError, equality_selector, label_selector
from aegis.model.evidence import Evidence

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "ReplicaSet", "ReplicationController", "Pod")


def build(evidence: Sequence[Evidence]) -> Graph:
    """The graph of all that was observed."""
    graph = Graph(evidence)
    for node in graph.objects():
        graph.tie(_owners(node))
        graph.tie(_named(node))
        graph.tie(_targets(node))
    for pod in graph.of_kind("Pod"):
        graph.tie(
            Edge(source=key, tie=Tie.RUNS, target=pod.key)
            for key in dict.fromkeys(owners_of(graph, pod))
            if key != pod.key
        )
    for service in graph.of_kind("Service"):
        graph.tie(_selected(graph, service, equality_selector(mapping(service.spec.get("selector"))), "Pod"))
    for budget in graph.of_kind("PodDisruptionBudget"):
        graph.tie(_selected(graph, budget, selector_of(budget.spec.get("selector")), "Pod"))
    for kind in WORKLOADS:
        for node in graph.of_kind(kind):
            if not graph.into(node.key, Tie.OWNS):
                graph.tie(_calls(graph, node))
    return graph


def selector_of(value: object) -> Selector:
    """A LabelSelector; what is malformed selects nothing."""
    try:
        return label_selector(mapping(value)) if isinstance(value, dict) else Selector(nothing=True)
    except SelectorError:
        return Selector(nothing=True)


def _owners(node: Node) -> Iterator[Edge]:
    for owner in items(node.metadata.get("ownerReferences")):
        key = _scoped(text(owner.get("kind")), node.ref.namespace, text(owner.get("name")))
        yield Edge(source=key, tie=Tie.OWNS, target=node.key, detail="controller" if owner.get("controller") else "")


def _named(node: Node) -> Iterator[Edge]:
    spec = pod_spec_of(node.obj)
    if spec is None:
        return
    for reference in references(spec):
        key = _scoped(reference.kind, node.ref.namespace, reference.name)
        yield Edge(source=node.key, tie=Tie.REFERENCES, target=key, detail=reference.path)
    if machine := text(spec.get("nodeName")):
        yield Edge(source=node.key, tie=Tie.RUNS_ON, target=("Node", "", machine))


def _targets(node: Node) -> Iterator[Edge]:
    target = mapping(at(node.obj, "spec", "scaleTargetRef"))
    if target:
        key = (text(target.get("kind")) or "Deployment", node.ref.namespace, text(target.get("name")))
        yield Edge(source=node.key, tie=Tie.TARGETS, target=key, detail="spec.scaleTargetRef")


def _selected(graph: Graph, selecting: Node, selector: Selector, kind: str) -> Iterator[Edge]:
    for pod in graph.of_kind(kind, selecting.ref.namespace):
        if selector.matches(pod.labels):
            yield Edge(source=selecting.key, tie=Tie.SELECTS, target=pod.key, detail=str(selector))


def _calls(graph: Graph, node: Node) -> Iterator[Edge]:
    for call in calls_of(graph, node):
        yield Edge(source=node.key, tie=Tie.CALLS, target=call.service, detail=call.path)


def _scoped(kind: str, namespace: str, name: str) -> Key:
    cluster_scoped = kind in {"Node", "PriorityClass", "RuntimeClass"}
    return (kind, "" if cluster_scoped else namespace, name)
