"""A Service that keeps to the caller's node, where nobody answers for it."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.mend import json_fix
from aegis.model.changes import Provenance, Risk
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """Its internalTrafficPolicy is Local, and an unwell caller runs on a node without an endpoint."""
    service = symptom.subject
    if symptom.reason != "NotOnNode":
        return
    path, value = "spec.internalTrafficPolicy", "Cluster"
    yield Hypothesis(
        cause="svc_itp_local",
        root=service.ref,
        certainty=Confidence.LIKELY,
        explanation=(
            f"Service {service.ref.name} sends only to endpoints on the caller's own node (internalTrafficPolicy Local), "
            f"and {symptom.message} has none."
        ),
        because=f"it does not leave the caller's node, and {symptom.message} has no endpoint of it",
        citations=(cite(service, f"{path}: Local"), *symptom.citations),
        fixes=(
            json_fix(
                case,
                service,
                [{"op": "replace", "path": "/spec/internalTrafficPolicy", "value": value}],
                id="traffic-policy-cluster",
                summary=f"Let Service {service.ref.name} send to endpoints on any node",
                risk=Risk.LOW,
                provenance=[
                    Provenance(
                        path=path,
                        value=value,
                        source="what Kubernetes takes where nothing is said",
                        evidence_id=service.evidence_id,
                    )
                ],
            ),
        ),
        weight=72,
    )


PLUGIN = rule("svc_itp_local", examine, Trouble.NO_ENDPOINTS)
