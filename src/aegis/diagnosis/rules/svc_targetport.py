"""A Service's target port is none that its pods listen on."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.graph import Node
from aegis.diagnosis.mend import from_object, human_fix, json_fix
from aegis.diagnosis.reading import items, text
from aegis.diagnosis.services import backing_workloads, declared_ports
from aegis.model.changes import Fix, Risk
from aegis.model.diagnosis import Link


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The one workload behind it declares ports, and this is none of them."""
    service = symptom.subject
    workloads = [workload for workload in backing_workloads(case.graph, service) if workload.present]
    if symptom.reason != "PortMismatch" or len(workloads) != 1:
        return
    workload = workloads[0]
    declared = declared_ports(workload)
    shown = ", ".join(sorted({f"{name} ({port})" if name != str(port) else name for name, port in declared.items()}))
    named = any(not port.isdigit() for port in symptom.message.split(", "))
    yield Hypothesis(
        cause="svc_targetport",
        root=service.ref,
        certainty=confirmed_if(named),
        explanation=(
            f"Service {service.ref.name} sends to port {symptom.message}, "
            f"but the containers of {workload.ref.kind} {workload.ref.name} declare {shown}."
        ),
        because=f"its targetPort is {symptom.message}",
        chain=(Link(ref=workload.ref, because=f"its containers listen on {shown}"),),
        citations=(
            cite(service, f"spec.ports[].targetPort: {symptom.message}"),
            cite(workload, f"spec.template.spec.containers[].ports: {shown}"),
        ),
        fixes=(_fix(case, service, workload, symptom.message),),
        weight=70,
    )


def _fix(case: Case, service: Node, workload: Node, wrong: str) -> Fix:
    """The only port there is; with several, a person chooses."""
    declared = declared_ports(workload)
    numbers = sorted(set(declared.values()))
    index = next((i for i, port in enumerate(items(service.spec.get("ports"))) if _targets(port) == wrong), None)
    if len(numbers) != 1 or index is None:
        return human_fix("set-target-port", f"Choose the port that Service {service.ref.name} shall send to")
    name = next((name for name in declared if not name.isdigit()), "")
    value: str | int = name if name and not wrong.isdigit() else numbers[0]
    return json_fix(
        case,
        service,
        [{"op": "add", "path": f"/spec/ports/{index}/targetPort", "value": value}],
        id="set-target-port",
        summary=f"Let Service {service.ref.name} send to port {value}",
        risk=Risk.LOW,
        provenance=[from_object(f"spec.ports[{index}].targetPort", value, workload, "the only port it declares")],
    )


def _targets(port: dict[str, object]) -> str:
    return text(port.get("targetPort")) or str(port.get("targetPort") or port.get("port"))


PLUGIN = rule("svc_targetport", examine, Trouble.NO_ENDPOINTS)
