"""A container runs another program than the one that was good, and nothing listens."""

from __future__ import annotations

import re

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.restore import restore_container
from aegis.model.diagnosis import Confidence

_NOBODY_THERE = re.compile(r"connection refused")


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """Its probe finds nobody at the port, and its command is not the one of the good revision."""
    view = case.container(symptom)
    if view is None or not _NOBODY_THERE.search(symptom.message):
        return
    fixes = restore_container(case, view.name, ("command", "args"), what="the command")
    if not fixes:
        return
    command = f"{view.spec.get('command') or ''} {view.spec.get('args') or ''}".strip() or "the image's own"
    yield Hypothesis(
        cause="wrong_binary",
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED,
        explanation=f"Container {view.name} runs and nothing listens at the port that its probe asks; its command is not the one "
        f"that the good revision had: {command[:200]}",
        because=f"its pod template starts {command[:200]}",
        citations=(cite(symptom.subject, f"spec.containers[{view.name}].command: {command[:300]}"), *symptom.citations),
        fixes=fixes,
        weight=56,
    )


PLUGIN = rule("wrong_binary", examine, Trouble.NOT_READY)
