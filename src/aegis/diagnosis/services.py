"""A Service as the graph shows it: whom it selects, whether anybody answers, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from aegis.diagnosis.case import Symptom, Trouble, cite
from aegis.diagnosis.graph import Graph, Node, Tie, surely_absent
from aegis.diagnosis.reading import items, mapping, text
from aegis.diagnosis.ties import WORKLOADS
from aegis.diagnosis.workload import pods_of, top_owner
from aegis.kube.pod_template import containers, pod_spec_of, template_labels
from aegis.kube.selector import equality_selector
from aegis.model.diagnosis import Citation
from aegis.model.refs import Json
from aegis.model.signature import is_ready

_SERVICE_NAME = "kubernetes.io/service-name"
_ALIKE = 0.6


def service_symptoms(graph: Graph, service: Node) -> Iterator[Symptom]:
    """What is wrong with a Service: it is not there, nobody answers for it, or its port leads nowhere."""
    if not service.present:
        if surely_absent(graph, "Service", service.ref.namespace, service.ref.name):
            yield Symptom(
                trouble=Trouble.NO_ENDPOINTS, subject=service, reason="Missing", because="there is no such Service"
            )
        return
    selector = mapping(service.spec.get("selector"))
    if not selector or service.spec.get("type") == "ExternalName":
        return
    ready = ready_endpoints(graph, service)
    shown = ", ".join(f"{key}={value}" for key, value in selector.items())
    if ready == 0:
        selected = len(graph.out(service.key, Tie.SELECTS))
        yield Symptom(
            trouble=Trouble.NO_ENDPOINTS,
            subject=service,
            reason="NoPodSelected" if not selected else "NoPodReady",
            because="it has no ready endpoint: "
            + (f"none of its {selected} pods is ready" if selected else f"no pod has the labels {shown}"),
            citations=(cite(service, f"spec.selector: {shown}"), *_slices(graph, service)),
        )
    elif ready and (others := _workloads_without_port(graph, service)):
        yield Symptom(
            trouble=Trouble.NO_ENDPOINTS,
            subject=service,
            reason="SeveralWorkloads",
            message=", ".join(others),
            because=f"it sends to the pods of {', '.join(others)} as well",
            citations=(cite(service, f"spec.selector: {shown}"),),
        )
    elif ready and (wrong := _dead_ports(graph, service)):
        yield Symptom(
            trouble=Trouble.NO_ENDPOINTS,
            subject=service,
            reason="PortMismatch",
            message=", ".join(wrong),
            because=f"its target port {', '.join(wrong)} is none that its pods listen on",
            citations=(cite(service, *(f"spec.ports[].targetPort: {port}" for port in wrong)),),
        )
    elif ready and (machine := _node_without(graph, service)):
        yield Symptom(
            trouble=Trouble.NO_ENDPOINTS,
            subject=service,
            reason="NotOnNode",
            message=machine.ref.name,
            because=f"on node {machine.ref.name} nobody answers for it",
            citations=(cite(service, "spec.internalTrafficPolicy: Local"),),
        )


def ready_endpoints(graph: Graph, service: Node) -> int | None:
    """How many ready addresses a Service has; None where the evidence cannot tell."""
    slices = _slices_of(graph, service)
    if slices:
        return sum(
            len(endpoint.get("addresses") or ())
            for found in slices
            for endpoint in items(found.obj.get("endpoints"))
            if mapping(endpoint.get("conditions")).get("ready", True) is not False
        )
    namespace = service.ref.namespace
    pods = [graph.node(edge.target) for edge in graph.out(service.key, Tie.SELECTS)]
    if pods or graph.was_listed("Pod", namespace) or graph.was_listed("EndpointSlice", namespace):
        return sum(is_ready(pod.obj) for pod in pods)
    return None


def backing_workloads(graph: Graph, service: Node) -> tuple[Node, ...]:
    """The workloads whose pods a Service selects, also while they have none."""
    selector = equality_selector(mapping(service.spec.get("selector")))
    owners = [top_owner(graph, graph.node(edge.target)) for edge in graph.out(service.key, Tie.SELECTS)]
    owners += [
        node for node in top_workloads(graph, service.ref.namespace) if selector.matches(template_labels(node.obj))
    ]
    return tuple({owner.key: owner for owner in owners}.values())


def top_workloads(graph: Graph, namespace: str) -> tuple[Node, ...]:
    """Workloads of a namespace that no other controls."""
    found = (node for kind in WORKLOADS for node in graph.of_kind(kind, namespace))
    return tuple(node for node in found if not graph.into(node.key, Tie.OWNS))


def declared_ports(workload: Node) -> dict[str, int]:
    """The ports that the containers declare: by name, and by number as text."""
    found: dict[str, int] = {}
    for container in containers(pod_spec_of(workload.obj) or {}):
        for port in items(container.spec.get("ports")):
            number = port.get("containerPort")
            if isinstance(number, int):
                found[text(port.get("name")) or str(number)] = number
                found[str(number)] = number
    return found


def target_ports(service: Node) -> tuple[str, ...]:
    """The target port of each port, as text; the port itself where none is given."""
    ports = items(service.spec.get("ports"))
    return tuple(str(port.get("targetPort") or port.get("port")) for port in ports)


def likeness(one: str, other: str) -> float:
    """How alike two names are, 0 to 1."""
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def near_labels(selector: Json, labels: Json, *, namesake: bool) -> dict[str, str] | None:
    """The selector that these labels would meet, if exactly one of its pairs is off by a slip; else None.

    Args:
        selector: of a Service.
        labels: of a workload's pods.
        namesake: whether Service and workload share their name: then the value need not be alike.
    """
    wrong = {key: str(value) for key, value in selector.items() if labels.get(key) != value}
    if len(wrong) != 1:
        return None
    ((key, value),) = wrong.items()
    right = {k: str(v) for k, v in selector.items() if k != key}
    if key in labels:
        alike = likeness(value, str(labels[key])) >= _ALIKE or bool(right) or namesake
        return {**right, key: str(labels[key])} if alike else None
    for other, found in labels.items():
        same_word = key.rpartition("/")[2] == other.rpartition("/")[2]
        if found == value and other not in selector and (namesake or same_word or likeness(key, other) >= _ALIKE):
            return {**right, other: str(found)}
    return None


def _slices_of(graph: Graph, service: Node) -> list[Node]:
    slices = graph.of_kind("EndpointSlice", service.ref.namespace)
    return [found for found in slices if found.labels.get(_SERVICE_NAME) == service.ref.name]


def _slices(graph: Graph, service: Node) -> Iterator[Citation]:
    for found in _slices_of(graph, service)[:1]:
        yield cite(found, f"endpoints: {len(items(found.obj.get('endpoints')))} addresses, none ready")


def _workloads_without_port(graph: Graph, service: Node) -> list[str]:
    """Workloads that the Service sends to although only others declare its port."""
    workloads = [workload for workload in backing_workloads(graph, service) if workload.present]
    ports = set(target_ports(service))
    serving = [workload for workload in workloads if ports & set(declared_ports(workload))]
    others = [workload for workload in workloads if declared_ports(workload) and workload not in serving]
    return [workload.ref.name for workload in others] if serving else []


def _node_without(graph: Graph, service: Node) -> Node | None:
    """A node with an unwell caller and without a ready endpoint of a Service that does not leave the node."""
    if service.spec.get("internalTrafficPolicy") != "Local":
        return None
    endpoints = [
        endpoint
        for found in _slices_of(graph, service)
        for endpoint in items(found.obj.get("endpoints"))
        if mapping(endpoint.get("conditions")).get("ready", True) is not False
    ]
    served = {text(endpoint.get("nodeName")) for endpoint in endpoints}
    callers = [graph.node(edge.source) for edge in graph.into(service.key, Tie.CALLS)]
    unwell = [pod for caller in callers for pod in pods_of(graph, caller) if not is_ready(pod.obj)]
    machines = sorted({text(pod.spec.get("nodeName")) for pod in unwell} - served - {""})
    return graph.node(("Node", "", machines[0])) if machines and "" not in served else None


def _dead_ports(graph: Graph, service: Node) -> list[str]:
    """Target ports that no container declares: named ones lead nowhere, numbers most likely."""
    workloads = backing_workloads(graph, service)
    declared = [declared_ports(workload) for workload in workloads if workload.present]
    if len(declared) != 1 or not declared[0]:
        return []
    return [port for port in target_ports(service) if port not in declared[0]]
