"""Something is called by the name of a Service that is not there."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.graph import Tie
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.services import top_workloads
from aegis.model.diagnosis import Link


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """All Services were listed and this one is not among them; a workload of its name tells that it was."""
    if symptom.reason != "Missing":
        return
    service = symptom.subject
    behind = [node for node in top_workloads(case.graph, service.ref.namespace) if node.ref.name == service.ref.name]
    callers = [case.graph.node(edge.source) for edge in case.graph.into(service.key, Tie.CALLS)]
    citations = [cite(caller, f"it names {service.ref.name}") for caller in callers[:1]]
    citations += [cite(node, f"metadata.name: {node.ref.name}") for node in behind[:1]]
    yield Hypothesis(
        cause="svc_missing",
        root=service.ref,
        certainty=confirmed_if(behind),
        explanation=f"There is no Service {service.ref.name} in namespace {service.ref.namespace}"
        + (f", although {behind[0].ref.kind} {behind[0].ref.name} is there to serve it." if behind else "."),
        because="it does not exist",
        chain=tuple(Link(ref=node.ref, because="it is there, without a Service in front of it") for node in behind[:1]),
        citations=tuple(citations),
        fixes=(human_fix("create-service", f"Create Service {service.ref.name} again"),),
        weight=60,
    )


PLUGIN = rule("svc_missing", examine, Trouble.NO_ENDPOINTS)
