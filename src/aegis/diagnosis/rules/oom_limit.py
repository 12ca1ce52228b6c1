"""A container is killed because it needs more memory than its limit."""

from __future__ import annotations

from decimal import Decimal

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.history import good_revisions
from aegis.diagnosis.mend import (
    can_change_template,
    container_patch,
    container_path,
    from_revision,
    human_fix,
    patch_fix,
    template_field,
)
from aegis.diagnosis.reading import at, items, mapping, quantity, text
from aegis.diagnosis.workload import ContainerView
from aegis.kube.quantity import format_quantity
from aegis.model.changes import Fix, Provenance, Risk
from aegis.model.diagnosis import Alternative, Confidence

_FACTOR = 2
_SHARE_OF_NODE = Decimal("0.8")
_MIB = 1 << 20


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The API says OOMKilled and the container has a memory limit."""
    view = case.container(symptom)
    if view is None or symptom.reason != "OOMKilled":
        return
    limit = _memory(view, "limits")
    if limit is None:
        return
    said = format_quantity(limit, "BinarySI")
    where = container_path(case.subject, view.name)
    yield Hypothesis(
        cause="oom_limit",
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED,
        explanation=(
            f"Container {view.name} was killed for running out of memory (OOMKilled, exit code {symptom.exit_code}) "
            f"{view.restarts} times: it needs more than its limit of {said}."
        ),
        because=f"its memory limit for {view.name} is {said}, less than the working set",
        citations=(
            cite(
                symptom.subject,
                f"{where}.lastState.terminated: OOMKilled, exit code {symptom.exit_code}",
                f"spec.{where}.resources.limits.memory: {said}",
            ),
        ),
        fixes=(_fix(case, view, limit),),
        ruled_out=(
            Alternative(
                cause="oom_node", why_not=f"the container has a limit ({said}) and the node reports no pressure"
            ),
        ),
        weight=90,
    )


def _memory(view: ContainerView, field: str) -> Decimal | None:
    return quantity(at(view.spec, "resources", field, "memory"))


def _fix(case: Case, view: ContainerView, limit: Decimal) -> Fix:
    return _as_it_was(case, view, limit) or _doubled(case, view, limit)


def _as_it_was(case: Case, view: ContainerView, limit: Decimal) -> Fix | None:
    """The memory of a good revision, where that is more than the limit doubled."""
    node = case.subject
    for revision in good_revisions(case.graph, node):
        was = mapping(at(revision.container(view.name), "resources"))
        memory = {name: mapping(was.get(name)).get("memory") for name in ("limits", "requests")}
        good = quantity(memory["limits"])
        if good is None or good < limit * _FACTOR or not can_change_template(node):
            continue
        resources = {name: {"memory": value} for name, value in memory.items() if value is not None}
        return patch_fix(
            case,
            node,
            container_patch(node, view.name, {"resources": resources}),
            id="raise-memory",
            summary=f"Set the memory of container {view.name} back to {memory['limits']}, as {revision.source} has it",
            risk=Risk.LOW,
            provenance=[from_revision(node, f"{container_path(node, view.name)}.resources", resources, revision)],
        )
    return None


def _doubled(case: Case, view: ContainerView, limit: Decimal) -> Fix:
    node = case.subject
    ceiling, by_what = _ceiling(case)
    wanted = limit * _FACTOR
    new = min(wanted, ceiling) if ceiling is not None else wanted
    new = new // _MIB * _MIB if new >= _MIB else new
    value = format_quantity(new, "BinarySI")
    if new <= limit:
        return human_fix(
            "raise-memory", f"Give container {view.name} more memory: {by_what} permits no more than {value}"
        )
    if not can_change_template(node):
        return human_fix("raise-memory", f"Raise the memory limit of container {view.name} to {value}")
    old = format_quantity(limit, "BinarySI")
    resources = {"limits": {"memory": value}}
    request = _memory(view, "requests")
    if request is not None and request == limit:
        resources["requests"] = {"memory": value}
    source = f"{_FACTOR} times the limit of {old} that {node.ref.kind} {node.ref.name} sets"
    if new < wanted:
        source = f"the most that {by_what} permits"
    path = template_field(node, f"{container_path(node, view.name)}.resources")
    return patch_fix(
        case,
        node,
        container_patch(node, view.name, {"resources": resources}),
        id="raise-memory",
        summary=f"Raise the memory limit of container {view.name} from {old} to {value}",
        risk=Risk.LOW,
        provenance=[Provenance(path=path, value=resources, source=source, evidence_id=node.evidence_id)],
    )


def _ceiling(case: Case) -> tuple[Decimal | None, str]:
    """The most memory that a container may have here, and what says so."""
    bounds: list[tuple[Decimal, str]] = []
    for limits in case.graph.of_kind("LimitRange", case.namespace):
        for entry in items(limits.spec.get("limits")):
            most = quantity(mapping(entry.get("max")).get("memory"))
            if text(entry.get("type")) in {"Container", "Pod"} and most is not None:
                bounds.append((most, f"LimitRange {limits.ref.name}"))
    nodes = [quantity(at(node.obj, "status", "allocatable", "memory")) for node in case.graph.of_kind("Node")]
    largest = max((found for found in nodes if found is not None), default=None)
    if largest is not None:
        bounds.append((largest * _SHARE_OF_NODE, "the largest node"))
    return min(bounds, default=(None, "")) if bounds else (None, "")


PLUGIN = rule("oom_limit", examine, Trouble.CRASH)
