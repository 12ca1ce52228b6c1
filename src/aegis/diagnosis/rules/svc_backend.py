"""A Service has no endpoint because the workload behind it is not well: that workload is where to look."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.reading import mapping
from aegis.diagnosis.services import backing_workloads
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """It selects pods, or a workload whose pods it would select, and none is ready."""
    if symptom.reason not in {"NoPodReady", "NoPodSelected"}:
        return
    service = symptom.subject
    for workload in backing_workloads(case.graph, service):
        selector = ", ".join(f"{key}={value}" for key, value in mapping(service.spec.get("selector")).items())
        yield Hypothesis(
            cause="svc_backend",
            root=workload.ref,
            certainty=Confidence.CONFIRMED,
            explanation="",
            because=f"Service {service.ref.name} is backed by {workload.ref.kind} {workload.ref.name}",
            citations=(cite(service, f"spec.selector: {selector}"),),
            onward=workload.key,
            transparent=True,
        )


PLUGIN = rule("svc_backend", examine, Trouble.NO_ENDPOINTS)
