"""A container that should go on does its work and ends without an error."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.restore import restore_container
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """It ends with exit code 0 again and again, and its controller starts it anew each time."""
    view = case.container(symptom)
    if view is None or symptom.exit_code != 0 or view.init:
        return
    command = (
        f"{view.spec.get('command') or ''} {view.spec.get('args') or ''}".strip() or f"that of the image {view.image}"
    )
    advice = f"Let the command of container {view.name} go on, or make it a Job"
    yield Hypothesis(
        cause="ends_early",
        root=case.subject.ref,
        certainty=Confidence.LIKELY,
        explanation=f"Container {view.name} ends without an error (exit code 0) and is started again: its command does not go on.",
        because=f"the command of container {view.name} ends: {command[:200]}",
        citations=(cite(symptom.subject, f"spec.containers[{view.name}].command: {command[:300]}"),),
        fixes=restore_container(case, view.name, ("command", "args"), what="the command")
        or (human_fix("keep-running", advice),),
        weight=15,
    )


PLUGIN = rule("ends_early", examine, Trouble.CRASH)
