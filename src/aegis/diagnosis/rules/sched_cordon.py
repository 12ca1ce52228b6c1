"""The nodes that would do are cordoned."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.mend import human_fix
from aegis.model.changes import Risk


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The scheduler says unschedulable, and the nodes' own spec shows which."""
    said = "were unschedulable" in symptom.message or "node.kubernetes.io/unschedulable" in symptom.message
    if not said:
        return
    cordoned = [node for node in case.graph.of_kind("Node") if node.spec.get("unschedulable") is True]
    names = ", ".join(node.ref.name for node in cordoned) or "the nodes"
    yield Hypothesis(
        cause="sched_cordon",
        root=cordoned[0].ref if cordoned else case.subject.ref,
        certainty=confirmed_if(cordoned),
        explanation=f"{names} take no pods because they are cordoned (unschedulable), so the pod stays Pending.",
        because="it is cordoned (spec.unschedulable)",
        citations=(*symptom.citations, *(cite(node, "spec.unschedulable: true") for node in cordoned[:3])),
        fixes=(human_fix("uncordon", f"Uncordon {names}, if the maintenance is over", risk=Risk.HIGH),),
        weight=72,
    )


PLUGIN = rule("sched_cordon", examine, Trouble.SCHEDULING)
