"""A workload that others need was scaled to zero."""

from __future__ import annotations

import re

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.graph import EventNode, Node, Tie
from aegis.diagnosis.mend import human_fix, patch_fix
from aegis.diagnosis.reading import mapping, number
from aegis.kube.pod_template import template_labels
from aegis.kube.selector import equality_selector
from aegis.model.changes import Fix, Provenance, Risk
from aegis.model.evidence import Tier

_SCALED = re.compile(r"Scaled down replica set (?P<set>\S+) (?:from (?P<from>\d+) )?to 0")


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """Its replicas are 0; that somebody needs it makes it a fault."""
    workload = symptom.subject
    services = [
        service
        for service in case.graph.of_kind("Service", case.namespace)
        if equality_selector(mapping(service.spec.get("selector"))).matches(template_labels(workload.obj))
    ]
    needed = [service for service in services if case.graph.into(service.key, Tie.CALLS)]
    if not services:
        return
    yield Hypothesis(
        cause="scaled_zero",
        root=workload.ref,
        certainty=confirmed_if(needed),
        explanation=(
            f"{workload.ref.kind} {workload.ref.name} is scaled to zero (replicas: 0), so Service "
            f"{services[0].ref.name} has nobody to send to."
        ),
        because="its replicas are 0",
        citations=(
            cite(workload, "spec.replicas: 0"),
            cite(services[0], f"it selects the pods of {workload.ref.name}"),
        ),
        fixes=(_fix(case, workload),),
        weight=70,
    )


def _fix(case: Case, workload: Node) -> Fix:
    found = _before(case, workload)
    if found is None:
        return human_fix("scale-up", f"Say how many replicas {workload.ref.kind} {workload.ref.name} shall have")
    replicas, provenance = found
    return patch_fix(
        case,
        workload,
        {"spec": {"replicas": replicas}},
        id="scale-up",
        summary=f"Scale {workload.ref.kind} {workload.ref.name} back to {replicas}",
        risk=Risk.LOW,
        provenance=[provenance],
    )


def _before(case: Case, workload: Node) -> tuple[int, Provenance] | None:
    """How many replicas there were: as the controller's own event says, else the autoscaler's least."""
    sets = [case.graph.node(edge.target).key for edge in case.graph.out(workload.key, Tie.OWNS)]
    events: list[EventNode] = [event for key in (workload.key, *sets) for event in case.graph.events(key)]
    for event in reversed(events):
        match = _SCALED.search(event.message)
        if match and match["from"] and int(match["from"]) and event.tier <= Tier.EVENT:
            source = f"the event that scaled it down ({event.message})"
            return int(match["from"]), _replicas(int(match["from"]), source, event.evidence_id)
    for edge in case.graph.into(workload.key, Tie.TARGETS):
        autoscaler = case.graph.node(edge.source)
        least = number(autoscaler.spec.get("minReplicas"))
        if least:
            return least, _replicas(least, f"minReplicas of {autoscaler.ref}", autoscaler.evidence_id)
    return None


def _replicas(value: int, source: str, evidence_id: str) -> Provenance:
    return Provenance(path="spec.replicas", value=value, source=source, evidence_id=evidence_id)


PLUGIN = rule("scaled_zero", examine, Trouble.STOPPED)
