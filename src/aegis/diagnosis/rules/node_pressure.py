"""A node runs low on memory, disk or process ids."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, rule
from aegis.diagnosis.mend import human_fix
from aegis.model.changes import Risk
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """One of its pressure conditions is True."""
    if symptom.reason != "Pressure":
        return
    yield Hypothesis(
        cause="node_pressure",
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED,
        explanation=f"Node {case.subject.ref.name} runs low: {symptom.message}.",
        because=f"it reports {symptom.message}",
        citations=symptom.citations,
        fixes=(human_fix("relieve-node", "Move or limit what uses most of it on this node", risk=Risk.HIGH),),
        weight=70,
    )


PLUGIN = rule("node_pressure", examine, Trouble.NODE)
