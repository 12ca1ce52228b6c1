"""What is wrong with objects that are no workloads: claims, nodes, autoscalers, Jobs, and what is stuck in deletion."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from aegis.diagnosis.case import Symptom, Trouble, cite
from aegis.diagnosis.graph import Graph, Node, surely_absent
from aegis.diagnosis.reading import Clock, at, condition, items, mapping, text, time_of
from aegis.model.diagnosis import Citation

_PATIENCE = timedelta(minutes=2)
_BENIGN = frozenset({"Watchdog", "InfoInhibitor", "DeadMansSwitch"})
_WAITS_FOR_FIRST = "WaitForFirstConsumer"


def object_symptoms(graph: Graph, node: Node, clock: Clock) -> Iterator[Symptom]:
    """What an object shows of itself."""
    match node.ref.kind:
        case "PersistentVolumeClaim":
            yield from _claim(graph, node)
        case "Node":
            yield from _node(node)
        case "HorizontalPodAutoscaler":
            yield from _autoscaler(node)
        case "Job":
            yield from _job(node)
        case "Application":
            yield from _application(node)
        case "Ingress":
            yield from _ingress(graph, node)
        case "CronJob":
            yield from _cron_job(graph, node)
        case "PodDisruptionBudget":
            yield from _budget(node)
        case _:
            pass
    yield from _deleted(node, clock)


def _claim(graph: Graph, claim: Node) -> Iterator[Symptom]:
    phase = text(claim.status.get("phase"))
    events = graph.events(claim.key)
    if phase in {"", "Bound"} or any(event.reason == _WAITS_FOR_FIRST for event in events[-1:]):
        return
    warned = [event for event in events if event.type == "Warning"]
    yield Symptom(
        trouble=Trouble.CLAIM,
        subject=claim,
        reason=phase,
        message=warned[-1].message if warned else "",
        because=f"it is {phase}, not Bound",
        citations=(cite(claim, f"status.phase: {phase}"), *(cite(event) for event in warned[-1:])),
    )


def _node(node: Node) -> Iterator[Symptom]:
    ready = condition(node.obj, "Ready")
    if ready and ready.get("status") != "True":
        reason, message = text(ready.get("reason")) or "NotReady", text(ready.get("message"))
        yield Symptom(
            trouble=Trouble.NODE,
            subject=node,
            reason=reason,
            message=message,
            because=f"it is not ready ({reason})",
            citations=(cite(node, f"conditions[Ready]: {ready.get('status')} {reason}: {message}"),),
        )
    pressed = [
        text(entry.get("type"))
        for entry in items(node.status.get("conditions"))
        if text(entry.get("type")).endswith("Pressure") and entry.get("status") == "True"
    ]
    if pressed:
        yield Symptom(
            trouble=Trouble.NODE,
            subject=node,
            reason="Pressure",
            message=", ".join(pressed),
            because=f"it reports {', '.join(pressed)}",
            citations=(cite(node, *(f"conditions[{name}]: True" for name in pressed)),),
        )


def _autoscaler(node: Node) -> Iterator[Symptom]:
    for kind, bad in (("AbleToScale", "False"), ("ScalingActive", "False"), ("ScalingLimited", "True")):
        found = condition(node.obj, kind)
        reason, message = text(found.get("reason")), text(found.get("message"))
        if found.get("status") == bad and reason not in {"TooFewReplicas", "ScalingDisabled", "DesiredWithinRange"}:
            yield Symptom(
                trouble=Trouble.AUTOSCALER,
                subject=node,
                reason=reason,
                message=message,
                because=f"it does not scale: {reason}",
                citations=(cite(node, f"conditions[{kind}]: {bad} {reason}: {message}"),),
            )


def _job(job: Node) -> Iterator[Symptom]:
    failed = condition(job.obj, "Failed")
    if failed.get("status") == "True":
        reason, message = text(failed.get("reason")), text(failed.get("message"))
        yield Symptom(
            trouble=Trouble.JOB,
            subject=job,
            reason=reason,
            message=message,
            because=f"it failed: {reason}",
            citations=(cite(job, f"conditions[Failed]: True {reason}: {message}"),),
        )


def _ingress(graph: Graph, node: Node) -> Iterator[Symptom]:
    """Backends and classes that surely are not there."""
    where = node.ref.namespace
    rules = items(node.spec.get("rules"))
    paths = [path for entry in rules for path in items(at(entry, "http", "paths"))]
    backends = [mapping(path.get("backend")) for path in paths] + [mapping(node.spec.get("defaultBackend"))]
    for backend in (mapping(found.get("service")) for found in backends):
        name, port = text(backend.get("name")), mapping(backend.get("port"))
        service = graph.get("Service", where, name)
        shown = port.get("name") or port.get("number")
        ports = (
            [value for entry in items(service.spec.get("ports")) for value in (entry.get("port"), entry.get("name"))]
            if service
            else []
        )
        if name and surely_absent(graph, "Service", where, name):
            yield _route(node, "BackendMissing", f"{name}:{shown}", f"spec.rules[].backend.service.name: {name}")
        elif service is not None and ports and shown and shown not in ports:
            yield _route(node, "BackendPort", f"{name}:{shown}", f"spec.rules[].backend.service.port: {shown}")
    name = text(node.spec.get("ingressClassName"))
    if name and surely_absent(graph, "IngressClass", "", name):
        yield _route(node, "IngressClass", name, f"spec.ingressClassName: {name}")


def _route(node: Node, reason: str, message: str, line: str) -> Symptom:
    because = f"it leads to {message}, which is not there"
    return Symptom(
        trouble=Trouble.ROUTE,
        subject=node,
        reason=reason,
        message=message,
        because=because,
        citations=(cite(node, line),),
    )


def _cron_job(graph: Graph, node: Node) -> Iterator[Symptom]:
    if node.spec.get("suspend") is True:
        yield Symptom(
            trouble=Trouble.STOPPED,
            subject=node,
            reason="Suspended",
            because="it is suspended",
            citations=(cite(node, "spec.suspend: true"),),
        )
    missed = [event for event in graph.events(node.key) if "missed start time" in event.message]
    for event in missed[-1:]:
        yield Symptom(
            trouble=Trouble.JOB,
            subject=node,
            reason=event.reason,
            message=event.message,
            because="it missed its starts",
            citations=(cite(event),),
        )


def _budget(node: Node) -> Iterator[Symptom]:
    """A budget that can never be met and spare a pod, however well the pods are."""
    status = node.status
    expected, healthy, desired = (status.get(name) for name in ("expectedPods", "currentHealthy", "desiredHealthy"))
    if not isinstance(expected, int) or not isinstance(healthy, int) or not isinstance(desired, int):
        return
    if expected and healthy >= expected and desired >= expected and status.get("disruptionsAllowed") == 0:
        said = f"it wants {desired} of {expected} pods, all of them"
        yield Symptom(
            trouble=Trouble.BUDGET,
            subject=node,
            reason="InsufficientPods",
            message=said,
            because=said,
            citations=(cite(node, f"status: desiredHealthy {desired}, expectedPods {expected}, disruptionsAllowed 0"),),
        )


def _application(node: Node) -> Iterator[Symptom]:
    """An Argo CD Application: what its last sync and its resources say."""
    operation = mapping(node.status.get("operationState"))
    sync, health = text(at(node.obj, "status", "sync", "status")), text(at(node.obj, "status", "health", "status"))
    failed = text(operation.get("phase")) in {"Failed", "Error"}
    if not failed and health not in {"Degraded", "Missing"}:
        return
    told = [
        text(entry.get("message"))
        for entry in items(node.status.get("resources"))
        if entry.get("status") == "OutOfSync"
    ]
    message = text(operation.get("message")) or next(iter(told), "")
    yield Symptom(
        trouble=Trouble.APPLICATION,
        subject=node,
        reason=text(operation.get("phase")) or health,
        message=message,
        because=f"it is {sync or 'not synchronised'} and {health or 'not healthy'}"
        + (f": {message}" if message else ""),
        citations=(cite(node, f"status.sync: {sync}, health: {health}", f"status.operationState: {message}"),),
    )


def alert_symptoms(graph: Graph, node: Node) -> Iterator[Symptom]:
    """Alerts about an object that itself shows nothing; those that only prove that alerting works say nothing."""
    for item in graph.alerts(node.key):
        name, said = text(item.payload.get("name")), text(item.payload.get("text"))
        if name in _BENIGN:
            continue
        yield Symptom(
            trouble=Trouble.ALERT,
            subject=node,
            container=text(item.payload.get("container")),
            reason=name,
            message=said,
            because=f"the alert {name} speaks of it",
            citations=(Citation(evidence_id=item.id, lines=(said[:400],)),),
        )


def _deleted(node: Node, clock: Clock) -> Iterator[Symptom]:
    since = time_of(node.metadata.get("deletionTimestamp"))
    finalizers = [str(name) for name in node.metadata.get("finalizers") or ()]
    if since is not None and finalizers and clock.since(since) > _PATIENCE:
        yield Symptom(
            trouble=Trouble.TERMINATING,
            subject=node,
            reason=", ".join(finalizers),
            message=since.isoformat(),
            because=f"it is being deleted since {since.isoformat()} and does not go",
            citations=(
                cite(node, f"metadata.deletionTimestamp: {since.isoformat()}", f"metadata.finalizers: {finalizers}"),
            ),
        )
