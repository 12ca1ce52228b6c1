"""What is wrong with objects that are no workloads: claims, nodes, autoscalers, Jobs, and what is stuck in deletion."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from aegis.diagnosis.case import Symptom, Trouble, cite
from aegis.diagnosis.graph import Graph, Node
from aegis.diagnosis.reading import condition, items, text, time_of

_PATIENCE = timedelta(minutes=2)
_WAITS_FOR_FIRST = "WaitForFirstConsumer"


def object_symptoms(graph: Graph, node: Node, as_of: datetime) -> Iterator[Symptom]:
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
        case _:
            pass
    yield from _deleted(node, as_of)


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


def _deleted(node: Node, as_of: datetime) -> Iterator[Symptom]:
    since = time_of(node.metadata.get("deletionTimestamp"))
    finalizers = [str(name) for name in node.metadata.get("finalizers") or ()]
    if since is not None and finalizers and as_of - since > _PATIENCE:
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
