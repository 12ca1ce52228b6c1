"""A variable names an address that no Service has: a wrong port, or a name that is a slip away."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aegis.diagnosis.calls import Call, calls_of
from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.graph import Node, surely_absent
from aegis.diagnosis.history import good_revisions
from aegis.diagnosis.mend import (
    can_change_template,
    container_patch,
    container_path,
    from_object,
    from_revision,
    human_fix,
    patch_fix,
    template_field,
)
from aegis.diagnosis.reading import items, text
from aegis.diagnosis.said import REFUSED, UNRESOLVED, Said, first_said
from aegis.diagnosis.services import likeness
from aegis.diagnosis.workload import template_container
from aegis.model.changes import Fix, Provenance, Risk
from aegis.model.diagnosis import Confidence, Link

_ALIKE = 0.75
_PATH = re.compile(r"^(?P<group>\w+)\[(?P<container>[^\]]+)\]\.env\[(?P<name>[^\]]+)\]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slip:
    """What is wrong with an address: the Service that is meant, and what to write instead."""

    call: Call
    service: Node
    wrong: str
    right: str


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The address is compared with the Services that are there."""
    told = first_said(case, symptom, REFUSED) or first_said(case, symptom, UNRESOLVED)
    for call in calls_of(case.graph, case.subject):
        slip = _slip(case, call)
        if slip is not None:
            yield _hypothesis(case, slip, told)


def _slip(case: Case, call: Call) -> _Slip | None:
    service = case.graph.get(*call.service)
    if service is None:
        return _misspelled(case, call)
    ports = [entry.get("port") for entry in items(service.spec.get("ports"))]
    if call.address.port is None or call.address.port in ports or not ports or service.spec.get("clusterIP") == "None":
        return None
    right = str(ports[0]) if len(ports) == 1 else ""
    return _Slip(call=call, service=service, wrong=str(call.address.port), right=right)


def _misspelled(case: Case, call: Call) -> _Slip | None:
    """The one Service whose name is a slip away from one that surely is not there."""
    kind, namespace, name = call.service
    if not surely_absent(case.graph, kind, namespace, name):
        return None
    near = [other for other in case.graph.of_kind(kind, namespace) if likeness(other.ref.name, name) >= _ALIKE]
    return _Slip(call=call, service=near[0], wrong=name, right=near[0].ref.name) if len(near) == 1 else None


def _hypothesis(case: Case, slip: _Slip, told: Said | None) -> Hypothesis:
    ports = ", ".join(str(entry.get("port")) for entry in items(slip.service.spec.get("ports")))
    address = slip.call.address.host + (f":{slip.call.address.port}" if slip.call.address.port else "")
    root = case.graph.node(slip.call.via).ref if slip.call.via else case.subject.ref
    where = slip.call.path + (f" (from ConfigMap {slip.call.via[2]})" if slip.call.via else "")
    citations = [
        cite(case.subject, f"{where}: {address}"),
        cite(slip.service, f"{slip.service.ref.name}: spec.ports: {ports}"),
    ]
    if told:
        citations.append(cite(told.source, told.line))
    return Hypothesis(
        cause="env_wrong_endpoint",
        root=root,
        certainty=Confidence.CONFIRMED,
        explanation=f"{where} names {address}, but Service {slip.service.ref.name} has the port {ports}.",
        because=f"{where} names {address}",
        chain=(Link(ref=slip.service.ref, because=f"it has the port {ports}"),) if not slip.call.via else (),
        citations=tuple(citations),
        fixes=(_fix(case, slip),),
        weight=54,
    )


def _fix(case: Case, slip: _Slip) -> Fix:
    advice = human_fix("set-endpoint", f"Correct {slip.call.path}: Service {slip.service.ref.name} is meant")
    node, match = case.subject, _PATH.match(slip.call.path)
    if slip.call.via or match is None or not can_change_template(node):
        return advice
    found = _value(case, slip, match["container"], match["name"])
    if found is None:
        return advice
    value, provenance = found
    return patch_fix(
        case,
        node,
        container_patch(node, match["container"], {"env": [{"name": match["name"], "value": value}]}),
        id="set-endpoint",
        summary=f"Set {match['name']} of container {match['container']} to {value}",
        risk=Risk.LOW,
        provenance=[provenance],
    )


def _value(case: Case, slip: _Slip, container: str, name: str) -> tuple[str, Provenance] | None:
    """What a good revision had, else the address with the Service's own name or only port in it."""
    node = case.subject
    field = f"{container_path(node, container)}.env[{name}]"
    now = _variable(template_container(node, container), name)
    for revision in good_revisions(case.graph, node):
        was = _variable(dict(revision.container(container)), name)
        if was and was != now:
            return was, from_revision(node, field, was, revision)
    if not slip.right or not now:
        return None
    value = re.sub(rf"(?<![\w-]){re.escape(slip.wrong)}(?![\w-])", slip.right, now)
    source = from_object(
        template_field(node, field),
        value,
        slip.service,
        f"its {'port' if slip.right.isdigit() else 'name'} {slip.right}",
    )
    return (value, source) if value != now else None


def _variable(container: dict[str, object], name: str) -> str:
    return next((text(entry.get("value")) for entry in items(container.get("env")) if entry.get("name") == name), "")


PLUGIN = rule("env_wrong_endpoint", examine, Trouble.CRASH, Trouble.NOT_READY, Trouble.HANGING)
