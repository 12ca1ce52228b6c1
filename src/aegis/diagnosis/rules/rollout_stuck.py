"""A rollout does not end, and no pod says why."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, rule
from aegis.diagnosis.changes_since import recent_change
from aegis.diagnosis.mend import human_fix
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The Deployment's own condition says that its deadline is past."""
    if symptom.reason != "ProgressDeadlineExceeded":
        return
    change = recent_change(case)
    explanation = (
        f"The rollout of {case.subject.ref.kind} {case.subject.ref.name} is past its deadline: {symptom.message}"
    )
    if change:
        explanation += f" Its revision {change.now.number} changed {change.what}; {change.good.source} was good."
    fix = change.fix if change else None
    yield Hypothesis(
        cause="rollout_stuck",
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED,
        explanation=explanation,
        because="its newest revision never becomes ready",
        citations=(*symptom.citations, *(change.citations if change else ())),
        fixes=(fix,)
        if fix
        else (human_fix("undo-rollout", "Undo the rollout, or find out why its pods do not become ready"),),
        weight=18,
    )


PLUGIN = rule("rollout_stuck", examine, Trouble.STUCK)
