"""A CronJob is paused, so its Jobs do not come."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, rule
from aegis.diagnosis.mend import human_fix
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """It is suspended; whether on purpose, only a person knows."""
    if symptom.reason != "Suspended":
        return
    yield Hypothesis(
        cause="cronjob_sched",
        root=case.subject.ref,
        certainty=Confidence.LIKELY,
        explanation=f"CronJob {case.subject.ref.name} is suspended (suspend: true), so no Job is made of it.",
        because="its suspend is true",
        citations=symptom.citations,
        fixes=(
            human_fix(
                "resume", f"Set suspend of CronJob {case.subject.ref.name} to false, if it is not paused on purpose"
            ),
        ),
        weight=50,
    )


PLUGIN = rule("cronjob_sched", examine, Trouble.STOPPED)
