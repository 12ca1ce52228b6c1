"""The diagnosis: evidence in, the root cause with its fixes out. Pure: no I/O, no clock, no chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain

from aegis.diagnosis.catalogue import rules
from aegis.diagnosis.graph import Graph, Key, Node, Tie, key_of
from aegis.diagnosis.investigate import Finding, Investigator
from aegis.diagnosis.reading import Clock, at, event_time, items, text, time_of
from aegis.diagnosis.report import healthy, report, undecided
from aegis.diagnosis.ties import WORKLOADS, build
from aegis.diagnosis.workload import top_owner
from aegis.model.diagnosis import Confidence, Diagnosis
from aegis.model.evidence import Evidence
from aegis.model.refs import Json, ObjectRef

_ORDER = (Confidence.CONFIRMED, Confidence.LIKELY, Confidence.INCONCLUSIVE, Confidence.HEALTHY)


def diagnose(
    evidence: Sequence[Evidence], target: ObjectRef | None, *, now: datetime, time_scale: float = 1.0
) -> Diagnosis:
    """What is wrong with an object, and which object must change.

    Args:
        evidence: what was observed, of the target and of all that it may depend on.
        target: the object that is asked about; None: whatever fails worst.
        now: the time of the analysis (aware); what ended long before the newest observation is past.
        time_scale: of the cluster that was observed: its delays and back-offs pass so many times faster.
    """
    if target is None:
        found = diagnose_all(evidence, now=now, time_scale=time_scale)
        if not found:
            # Output alone says nothing of health: only an object's own state does.
            seen = any(item.source == "object" for item in evidence)
            return healthy(_place(evidence), "nothing in the evidence fails", seen=seen)
        return replace(found[0], also=tuple(found[1:]))
    graph = build(evidence)
    investigator = Investigator(graph, rules(), Clock(as_of=_as_of(graph, now), scale=time_scale))
    node = _find(graph, target)
    if node is None:
        return undecided(target, f"The evidence does not hold {target}, nor anything that belongs to it.")
    findings = investigator.explain(investigator.case(node)) or _in_front(investigator, node)
    return _diagnosis(graph, target if target.api_version else node.ref, node, findings)


def diagnose_all(
    evidence: Sequence[Evidence],
    *,
    now: datetime,
    time_scale: float = 1.0,
    only: Callable[[ObjectRef, Json], bool] | None = None,
) -> tuple[Diagnosis, ...]:
    """Every independent fault, the surest first: one diagnosis a root cause.

    Args:
        evidence: what was observed.
        now: the time of the analysis (aware).
        time_scale: of the cluster that was observed.
        only: of which objects the faults are wanted, given each with its content; None: of all.
    """
    graph = build(evidence)
    investigator = Investigator(graph, rules(), Clock(as_of=_as_of(graph, now), scale=time_scale))
    found: dict[object, Diagnosis] = {}
    for node in _units(graph):
        if only is not None and not only(node.ref, node.obj):
            continue
        for finding in investigator.explain(investigator.case(node)):
            diagnosis = report(graph, node.ref, finding)
            key = (finding.best.cause, key_of(finding.best.root)) if finding.best else finding.source.case.subject.key
            if key not in found or _is_at(diagnosis, finding):
                found[key] = diagnosis
    explained = {key_of(one.target) for one in found.values() if one.cause is not None}
    told = [one for one in found.values() if one.cause is not None or key_of(one.target) not in explained]
    return tuple(sorted(told, key=lambda d: (_ORDER.index(d.verdict), d.target)))


def _is_at(diagnosis: Diagnosis, finding: Finding) -> bool:
    """Whether a diagnosis is that of the very object where the fault lies, not of one that only suffers from it."""
    root = diagnosis.root or finding.source.case.subject.ref
    return key_of(root) == key_of(diagnosis.target)


def _diagnosis(graph: Graph, target: ObjectRef, node: Node, findings: list[Finding]) -> Diagnosis:
    if not findings:
        seen = node.present or bool(graph.out(node.key, Tie.OWNS))
        remarks = tuple(
            text(item.payload.get("said"))
            for item in graph.evidence
            if item.source == "note" and "said" in item.payload
        )
        return healthy(target, f"{node.ref} shows no fault", seen=seen, remarks=remarks)
    first = report(graph, target, findings[0])
    also: dict[object, Diagnosis] = {}
    for finding in findings[1:]:
        other = report(graph, target, finding)
        if finding.best and (other.cause, other.root) != (first.cause, first.root):
            also.setdefault((other.cause, other.root), other)
    return replace(first, also=tuple(also.values()))


def _in_front(investigator: Investigator, node: Node) -> list[Finding]:
    """What is wrong with Services that should lead to a workload which itself is well."""
    if node.ref.kind not in WORKLOADS:
        return []
    owner = top_owner(investigator.graph, node)
    found: list[Finding] = []
    for service in investigator.graph.of_kind("Service", node.ref.namespace):
        for finding in investigator.explain(investigator.case(service)):
            links = finding.best.chain if finding.best else ()
            if any(key_of(link.ref) == owner.key for link in links):
                found.append(finding)
    return found


def _find(graph: Graph, target: ObjectRef) -> Node | None:
    """The object that is asked about; one that others own or name although the evidence does not hold it."""
    node = graph.get(target.kind, target.namespace, target.name) or _spelled_otherwise(graph, target)
    if node is not None:
        return node
    key: Key = key_of(target)
    owned = any(key == top_owner(graph, pod).key for pod in graph.of_kind("Pod", target.namespace))
    known = owned or graph.out(key, Tie.OWNS) or any(graph.into(key, tie) for tie in Tie) or graph.events(key)
    return graph.node(key, api_version=target.api_version or "v1") if known else None


def _spelled_otherwise(graph: Graph, target: ObjectRef) -> Node | None:
    """The one object of that name whose kind is spelled otherwise, or that was printed without its namespace."""
    named = [
        node
        for node in graph.objects()
        if node.ref.name == target.name and node.ref.kind.lower() == target.kind.lower()
    ]
    found = [
        node
        for node in named
        if not node.ref.namespace or node.ref.namespace == target.namespace or not target.namespace
    ]
    return found[0] if len(found) == 1 else None


def _units(graph: Graph) -> list[Node]:
    """Everything that may fail by itself, each once: workloads by their top owner, then what is no workload."""
    units: dict[Key, Node] = {}
    for kind in WORKLOADS:
        for node in graph.of_kind(kind):
            owner = top_owner(graph, node)
            units.setdefault(owner.key, owner)
    for kind in (
        "Service",
        "PersistentVolumeClaim",
        "HorizontalPodAutoscaler",
        "Node",
        "Ingress",
        "Application",
        "PodDisruptionBudget",
    ):
        for node in graph.of_kind(kind):
            units.setdefault(node.key, node)
    return list(units.values())


def _place(evidence: Sequence[Evidence]) -> ObjectRef:
    """What an analysis without a target was about: the namespace, where there is only one."""
    namespaces = sorted({item.subject.namespace for item in evidence if item.subject.namespace})
    return ObjectRef(api_version="v1", kind="Namespace", name=namespaces[0] if len(namespaces) == 1 else "")


def _as_of(graph: Graph, now: datetime) -> datetime:
    """The time the evidence speaks of: when it was read, or (in a recording) the newest time that it holds."""
    times = [item.observed_at for item in graph.evidence if item.observed_at is not None]
    events = (event_time(item.payload) for item in graph.evidence if item.source == "event")
    statuses = (status for pod in graph.of_kind("Pod") for status in items(pod.status.get("containerStatuses")))
    marks = (("state", "running", "startedAt"), ("lastState", "terminated", "finishedAt"))
    states = (time_of(at(status, *path)) for status in statuses for path in marks)
    times += [seen for seen in chain(events, states) if seen is not None]
    return min(max(times, default=now), now)
