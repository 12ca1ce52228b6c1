"""A node does not report any more."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, rule
from aegis.diagnosis.mend import human_fix
from aegis.model.changes import Risk
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """Its Ready condition is not True."""
    if symptom.reason == "Pressure":
        return
    yield Hypothesis(
        cause="node_notready",
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED,
        explanation=f"Node {case.subject.ref.name} is not ready: {symptom.message or symptom.reason}",
        because=f"its Ready condition says {symptom.reason}",
        citations=symptom.citations,
        fixes=(
            human_fix(
                "mend-node",
                "Look at the kubelet and the network of the node; cordon and drain it if it stays so",
                risk=Risk.HIGH,
            ),
        ),
        weight=80,
    )


PLUGIN = rule("node_notready", examine, Trouble.NODE)
