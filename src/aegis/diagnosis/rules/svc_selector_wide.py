"""A Service sends to the pods of more than one workload."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.mend import human_fix
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """Its ready pods belong to workloads of which not all have its port."""
    if symptom.reason != "SeveralWorkloads":
        return
    yield Hypothesis(
        cause="svc_selector_wide",
        root=case.subject.ref,
        certainty=Confidence.LIKELY,
        explanation=f"Service {case.subject.ref.name} selects the pods of several workloads ({symptom.message}), and not all of them "
        "have its port.",
        because=f"its selector also finds {symptom.message}",
        citations=(cite(symptom.subject, f"spec.selector: {symptom.subject.spec.get('selector')}"),),
        fixes=(
            human_fix(
                "narrow-selector", f"Add the label to the selector that tells the workloads apart ({symptom.message})"
            ),
        ),
        weight=50,
    )


PLUGIN = rule("svc_selector_wide", examine, Trouble.NO_ENDPOINTS)
