"""An init container waits for something that never comes."""

from __future__ import annotations

from datetime import timedelta

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.changes_since import recent_change
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.reading import at, condition, time_of
from aegis.model.diagnosis import Confidence

_PATIENCE = timedelta(minutes=2)


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """It runs for long; what it waits for, if a Service, is found by the rule for dependencies."""
    view = case.container(symptom)
    started = time_of(at(view.status, "state", "running", "startedAt")) if view else None
    late = condition(case.subject.obj, "Progressing").get("reason") == "ProgressDeadlineExceeded"
    if view is None or not view.init or (started and case.clock.since(started) < _PATIENCE and not late):
        return
    command = " ".join(str(word) for field in ("command", "args") for word in _words(view.spec.get(field)))
    change = recent_change(case)
    fix = change.fix if change else None
    yield Hypothesis(
        cause="init_hang",
        root=case.subject.ref,
        certainty=Confidence.LIKELY,
        explanation=f"Init container {view.name} does not end, so the pod's containers never start; it runs: {command[:300]}",
        because=f"its init container {view.name} waits for something that does not come",
        citations=(cite(symptom.subject, f"spec.initContainers[{view.name}].command: {command}"),),
        fixes=(fix,)
        if fix
        else (human_fix("end-waiting", f"Bring up what init container {view.name} waits for, or correct it"),),
        weight=20,
    )


def _words(value: object) -> list[object]:
    return value if isinstance(value, list) else []


PLUGIN = rule("init_hang", examine, Trouble.HANGING)
