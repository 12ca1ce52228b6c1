"""A variable is set twice, and the later one wins."""

from __future__ import annotations

from collections import Counter

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.reading import items, text
from aegis.diagnosis.restore import restore_container
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The spec names a variable twice with different values, where a good revision did not."""
    view = case.container(symptom)
    if view is None:
        return
    entries = items(view.spec.get("env"))
    twice = [name for name, count in Counter(text(entry.get("name")) for entry in entries).items() if count > 1]
    for name in twice:
        values = [entry.get("value", entry.get("valueFrom")) for entry in entries if entry.get("name") == name]
        if all(value == values[0] for value in values):
            continue
        fixes = restore_container(case, view.name, ("env",), what="the variables")
        yield Hypothesis(
            cause="env_shadowed",
            root=case.subject.ref,
            certainty=Confidence.CONFIRMED if fixes else Confidence.LIKELY,
            explanation=f"Container {view.name} sets {name} {len(values)} times with different values; only the last one counts.",
            because=f"it sets {name} more than once for container {view.name}",
            citations=(
                cite(symptom.subject, *(f"spec.containers[{view.name}].env[{name}]: {value}" for value in values)),
            ),
            fixes=fixes or (human_fix("one-value", f"Keep one value of {name} in container {view.name}"),),
            weight=45,
        )


PLUGIN = rule("env_shadowed", examine, Trouble.CRASH, Trouble.NOT_READY)
