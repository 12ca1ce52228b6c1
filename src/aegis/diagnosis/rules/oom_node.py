"""A container without a limit is killed because its node runs out of memory."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.graph import Tie
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.reading import at
from aegis.model.changes import Risk
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The API says OOMKilled, and no limit of its own explains it."""
    view = case.container(symptom)
    if view is None or symptom.reason != "OOMKilled" or at(view.spec, "resources", "limits", "memory") is not None:
        return
    edge = next(iter(case.graph.out(symptom.subject.key, Tie.RUNS_ON)), None)
    node = case.graph.node(edge.target) if edge else None
    events = [event for event in case.graph.events(node.key) if "OOM" in event.reason] if node else []
    yield Hypothesis(
        cause="oom_node",
        root=node.ref if node else case.subject.ref,
        certainty=Confidence.CONFIRMED if events else Confidence.LIKELY,
        explanation=f"Container {view.name} was killed for want of memory (OOMKilled) although it has no limit: "
        f"its node{f' {node.ref.name}' if node else ''} ran out of memory.",
        because="its memory is used up by containers without limits",
        citations=(
            cite(symptom.subject, f"spec.containers[{view.name}].resources.limits.memory: none"),
            *(cite(event) for event in events[-1:]),
        ),
        fixes=(
            human_fix("limit-neighbours", "Set memory limits on what uses most of the node's memory", risk=Risk.HIGH),
        ),
        weight=70,
    )


PLUGIN = rule("oom_node", examine, Trouble.CRASH)
