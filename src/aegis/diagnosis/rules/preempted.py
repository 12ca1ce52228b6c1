"""The pod had to make room for one of a higher priority."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.mend import human_fix
from aegis.model.changes import Risk
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The scheduler's own event says Preempted; a class that is everybody's default shows why."""
    events = [event for event in case.events(symptom) if event.reason == "Preempted"]
    if not events:
        return
    default = [node for node in case.graph.of_kind("PriorityClass") if node.obj.get("globalDefault") is True]
    root = default[0].ref if len(default) == 1 else case.subject.ref
    yield Hypothesis(
        cause="preempted",
        root=root,
        certainty=Confidence.CONFIRMED,
        explanation=f"The pod was removed for one of a higher priority ({events[0].message})."
        + (f" PriorityClass {root.name} is everybody's default." if default else ""),
        because="it gives every pod that names none its priority"
        if default
        else "its pods have a lower priority than others",
        citations=(cite(events[0]), *(cite(node, "globalDefault: true") for node in default[:1])),
        fixes=(
            human_fix(
                "mend-priority",
                "Take globalDefault off the class, or give these pods a priority of their own",
                risk=Risk.HIGH,
            ),
        ),
        weight=74,
    )


PLUGIN = rule("preempted", examine, Trouble.SCHEDULING, Trouble.CRASH)
