"""No node has the labels that the pod asks for."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.reading import mapping
from aegis.diagnosis.restore import restore_pod
from aegis.diagnosis.services import likeness

_ALIKE = 0.7


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The scheduler says so, and the nodes' labels show which pair none of them has."""
    if "node affinity/selector" not in symptom.message and "node selector" not in symptom.message:
        return
    selector = mapping(symptom.subject.spec.get("nodeSelector"))
    nodes = case.graph.of_kind("Node")
    absent = {k: v for k, v in selector.items() if nodes and all(node.labels.get(k) != v for node in nodes)}
    asked = ", ".join(f"{key}={value}" for key, value in (absent or selector).items())
    near = sorted({
        f"{k}={v}"
        for node in nodes
        for k, v in node.labels.items()
        if any(_alike(k, v, pair) for pair in absent.items())
    })
    what = f"the node selector {asked}" if selector else "its required node affinity"
    hint = f" Near to it: {', '.join(near[:3])}." if near else ""
    advice = f"Correct {what}, or label a node so"
    yield Hypothesis(
        cause="sched_selector",
        root=case.subject.ref,
        certainty=confirmed_if(selector or symptom.subject.spec.get("affinity")),
        explanation=f"No node matches {what} of the pod, so it stays Pending (node affinity/selector).{hint}",
        because=f"its pod template asks for {what}",
        citations=(
            *symptom.citations,
            cite(symptom.subject, *(f"spec.nodeSelector: {key}={value}" for key, value in selector.items())),
            *(cite(node, f"labels of the node: {', '.join(sorted(node.labels))[:300]}") for node in nodes[:2]),
        ),
        fixes=restore_pod(case, ("nodeSelector", "affinity"), what="the node selector")
        or (human_fix("mend-selector", advice),),
        weight=80,
    )


def _alike(key: str, value: str, pair: tuple[str, object]) -> bool:
    return likeness(f"{key}={value}", f"{pair[0]}={pair[1]}") >= _ALIKE


PLUGIN = rule("sched_selector", examine, Trouble.SCHEDULING)
