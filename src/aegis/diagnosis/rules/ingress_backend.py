"""An Ingress sends to a Service or a port that is not there."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, rule
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.services import likeness
from aegis.model.diagnosis import Confidence

_ALIKE = 0.6


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """All Services were listed, and the one that is named is not among them, or has no such port."""
    if symptom.reason not in {"BackendMissing", "BackendPort"}:
        return
    name = symptom.message.split(":")[0]
    services = case.graph.of_kind("Service", case.namespace)
    near = [
        service.ref.name
        for service in services
        if service.ref.name != name and likeness(service.ref.name, name) >= _ALIKE
    ]
    hint = f" Service {near[0]} is most likely meant." if len(near) == 1 and symptom.reason == "BackendMissing" else ""
    yield Hypothesis(
        cause="ingress_backend",
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED,
        explanation=f"Ingress {case.subject.ref.name} sends to {symptom.message}, which is not there.{hint}",
        because=f"it names the backend {symptom.message}",
        citations=symptom.citations,
        fixes=(human_fix("mend-backend", f"Correct the backend {symptom.message} of Ingress {case.subject.ref.name}"),),
        weight=70,
    )


PLUGIN = rule("ingress_backend", examine, Trouble.ROUTE)
