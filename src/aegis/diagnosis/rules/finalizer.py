"""An object is being deleted and a finalizer is never done."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, rule
from aegis.diagnosis.mend import human_fix
from aegis.model.changes import Risk
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """It has a deletionTimestamp and finalizers."""
    yield Hypothesis(
        cause="finalizer",
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED,
        explanation=f"{case.subject.ref} is being deleted since {symptom.message}, and its finalizers ({symptom.reason}) are not done.",
        because=f"its finalizers {symptom.reason} are not done",
        citations=symptom.citations,
        fixes=(
            human_fix(
                "mend-finalizer",
                "Bring up the controller that has to do the finalizer's work; remove it only as a last resort",
                risk=Risk.HIGH,
            ),
        ),
        weight=60,
    )


PLUGIN = rule("finalizer", examine, Trouble.TERMINATING)
