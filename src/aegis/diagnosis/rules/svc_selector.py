"""A Service selects no pod because of a slip in its selector."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.graph import Node
from aegis.diagnosis.mend import from_object, human_fix, patch_fix
from aegis.diagnosis.reading import mapping
from aegis.diagnosis.services import backing_workloads, declared_ports, near_labels, target_ports, top_workloads
from aegis.kube.pod_template import template_labels
from aegis.model.changes import Fix, Risk
from aegis.model.diagnosis import Alternative, Link


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """Exactly one workload carries labels that differ from the selector in one pair."""
    service = symptom.subject
    selector = mapping(service.spec.get("selector"))
    if symptom.reason != "NoPodSelected" or backing_workloads(case.graph, service):
        return
    candidates = _candidates(case, service)
    if not candidates:
        return
    workload, wanted = candidates[0]
    wrong = ", ".join(f"{key}={value}" for key, value in selector.items() if wanted.get(key) != value)
    right = ", ".join(f"{key}={value}" for key, value in wanted.items() if selector.get(key) != value)
    others = ", ".join(str(other.ref) for other, _ in candidates[1:])
    yield Hypothesis(
        cause="svc_selector",
        root=service.ref,
        certainty=confirmed_if(len(candidates) == 1),
        explanation=(
            f"The selector of Service {service.ref.name} asks for {wrong}, which no pod has; "
            f"the pods of {workload.ref.kind} {workload.ref.name} have {right}"
            + (f"; as near are those of {others}." if others else ".")
        ),
        because=f"its selector asks for {wrong} instead of {right}",
        chain=(Link(ref=workload.ref, because=f"its pods have the labels {right}"),),
        citations=(
            cite(service, f"spec.selector: {wrong}"),
            cite(workload, f"spec.template.metadata.labels: {right}"),
        ),
        fixes=(_fix(case, candidates, wanted),),
        ruled_out=(Alternative(cause="scaled_zero", why_not=f"no workload has the labels {wrong}"),),
        weight=80,
    )


def _candidates(case: Case, service: Node) -> list[tuple[Node, dict[str, str]]]:
    """(workload, the selector that would select it): those that serve the Service's port, if any does."""
    selector = mapping(service.spec.get("selector"))
    found = [
        (workload, wanted)
        for workload in top_workloads(case.graph, case.namespace)
        if (wanted := near_labels(selector, template_labels(workload.obj), namesake=_namesakes(service, workload)))
        is not None
    ]
    ports = set(target_ports(service))
    serving = [entry for entry in found if ports & set(declared_ports(entry[0]))]
    silent = [entry for entry in found if not declared_ports(entry[0]) or _namesakes(service, entry[0])]
    named_alike = [entry for entry in serving or silent if _namesakes(service, entry[0])]
    return named_alike or serving or silent


def _namesakes(service: Node, workload: Node) -> bool:
    return service.ref.name == workload.ref.name


def _fix(case: Case, candidates: list[tuple[Node, dict[str, str]]], wanted: dict[str, str]) -> Fix:
    workload = candidates[0][0]
    shown = ", ".join(f"{key}={value}" for key, value in wanted.items())
    if len(candidates) > 1:
        names = ", ".join(candidate.ref.name for candidate, _ in candidates)
        return human_fix("set-selector", f"Choose whose pods the Service shall select: {names}")
    return patch_fix(
        case,
        case.subject,
        {"spec": {"selector": wanted}},
        id="set-selector",
        summary=f"Let Service {case.subject.ref.name} select {shown}",
        risk=Risk.LOW,
        provenance=[from_object("spec.selector", wanted, workload, "the labels of its pods")],
    )


PLUGIN = rule("svc_selector", examine, Trouble.NO_ENDPOINTS)
