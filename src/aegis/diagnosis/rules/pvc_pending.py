"""A pod waits for a volume claim that is not bound: the claim is where to look."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.graph import Tie
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The pod mounts a claim, and the claim is not Bound."""
    pod = symptom.subject
    for edge in case.graph.out(pod.key, Tie.REFERENCES):
        kind, namespace, name = edge.target
        claim = case.graph.get(kind, namespace, name) if kind == "PersistentVolumeClaim" else None
        if claim is None or claim.status.get("phase") in {"Bound", None}:
            continue
        yield Hypothesis(
            cause="pvc_unbound",
            root=claim.ref,
            certainty=Confidence.CONFIRMED,
            explanation="",
            because=f"it mounts PersistentVolumeClaim {name}, which is {claim.status.get('phase')}",
            citations=(
                cite(pod, f"spec.{edge.detail}: {name}"),
                cite(claim, f"status.phase: {claim.status.get('phase')}"),
            ),
            weight=78,
            onward=claim.key,
            transparent=True,
        )


PLUGIN = rule("pvc_pending", examine, Trouble.SCHEDULING, Trouble.CONFIG)
