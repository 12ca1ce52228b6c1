"""A disruption budget permits no eviction at all."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, rule
from aegis.diagnosis.mend import human_fix
from aegis.model.changes import Risk
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """It asks for as many pods as there are."""
    yield Hypothesis(
        cause="pdb_block",
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED,
        explanation=f"PodDisruptionBudget {case.subject.ref.name} permits no eviction: {symptom.message}. A drain waits for ever.",
        because=symptom.message,
        citations=symptom.citations,
        fixes=(
            human_fix("loosen-budget", "Run one more replica, or ask for one pod less in the budget", risk=Risk.HIGH),
        ),
        weight=60,
    )


PLUGIN = rule("pdb_block", examine, Trouble.BUDGET)
