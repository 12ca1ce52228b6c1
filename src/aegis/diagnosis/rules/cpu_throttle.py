"""A container is held back by its CPU limit."""

from __future__ import annotations

import re

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.reading import at
from aegis.diagnosis.workload import container_views
from aegis.model.diagnosis import Confidence

_THROTTLED = re.compile(r"throttl", re.IGNORECASE)


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """An alert speaks of throttling and the container has a CPU limit."""
    if not _THROTTLED.search(f"{symptom.reason} {symptom.message}") or symptom.subject.ref.kind != "Pod":
        return
    views = [view for view in container_views(symptom.subject) if symptom.container in {"", view.name}]
    limited = [(view, limit) for view in views if (limit := at(view.spec, "resources", "limits", "cpu"))]
    for view, limit in limited[:1]:
        yield Hypothesis(
            cause="cpu_throttle",
            root=case.subject.ref,
            certainty=Confidence.LIKELY,
            explanation=f"Container {view.name} wants more CPU than its CPU limit of {limit} gives it, so it is throttled; it runs, only slowly.",
            because=f"its CPU limit for {view.name} is {limit}",
            citations=(
                *symptom.citations,
                cite(symptom.subject, f"spec.containers[{view.name}].resources.limits.cpu: {limit}"),
            ),
            fixes=(
                human_fix(
                    "raise-cpu",
                    f"Raise the CPU limit of container {view.name} (now {limit}), if the nodes have room for it",
                ),
            ),
            weight=60,
        )


PLUGIN = rule("cpu_throttle", examine, Trouble.ALERT)
