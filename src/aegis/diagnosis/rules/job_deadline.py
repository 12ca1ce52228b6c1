"""A Job did not end in its time."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, rule
from aegis.diagnosis.mend import human_fix
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """Its condition says DeadlineExceeded."""
    if symptom.reason != "DeadlineExceeded":
        return
    seconds = symptom.subject.spec.get("activeDeadlineSeconds")
    yield Hypothesis(
        cause="job_deadline",
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED,
        explanation=f"Job {symptom.subject.ref.name} was ended because it took longer than its activeDeadlineSeconds ({seconds}).",
        because=f"its activeDeadlineSeconds is {seconds}",
        citations=symptom.citations,
        fixes=(
            human_fix(
                "raise-deadline", "Give the Job more time, or make it faster; a Job has to be created anew for it"
            ),
        ),
        weight=60,
    )


PLUGIN = rule("job_deadline", examine, Trouble.JOB)
