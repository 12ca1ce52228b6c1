"""A Job whose work is done and whose sidecar goes on."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.mend import human_fix
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """One container ended with 0, another does not end, and so the pod does not either."""
    if symptom.reason != "SidecarRuns":
        return
    name = symptom.container
    yield Hypothesis(
        cause="job_sidecar",
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED,
        explanation=(
            f"The work of {case.subject.ref.kind} {case.subject.ref.name} is done ({symptom.message}), but its container "
            f"{name} goes on, so the pod never completes."
        ),
        because=f"its container {name} does not end with the work",
        citations=(cite(symptom.subject, f"status.containerStatuses[{name}].state: running"),),
        fixes=(
            human_fix(
                "native-sidecar",
                f"Make {name} an init container with restartPolicy Always (Kubernetes 1.29 or later): it ends with the work",
            ),
        ),
        weight=70,
    )


PLUGIN = rule("job_sidecar", examine, Trouble.HANGING)
