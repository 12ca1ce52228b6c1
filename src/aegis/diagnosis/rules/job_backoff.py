"""A Job gave up after its pods failed again and again."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, rule
from aegis.diagnosis.mend import human_fix
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """Its condition says BackoffLimitExceeded; why its pods fail, their own symptoms say where they are still there."""
    if symptom.reason not in {"BackoffLimitExceeded", "PodFailurePolicy"}:
        return
    yield Hypothesis(
        cause="job_backoff",
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED,
        explanation=f"Job {symptom.subject.ref.name} failed: its pods ended with errors more often than its backoffLimit permits.",
        because="its backoffLimit is used up",
        citations=symptom.citations,
        fixes=(
            human_fix(
                "recreate-job", "Mend why its pods fail, then create the Job anew (a Job's template cannot be changed)"
            ),
        ),
        weight=30,
    )


PLUGIN = rule("job_backoff", examine, Trouble.JOB)
