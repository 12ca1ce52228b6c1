"""A rollout that takes every pod away before the first new one is ready."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.mend import json_fix
from aegis.diagnosis.reading import at, number, text
from aegis.model.changes import Fix, Provenance, Risk
from aegis.model.diagnosis import Confidence

_USUAL = "25%"


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """Nothing is ready while it rolls out, and its strategy allows just that."""
    node = case.subject
    if text(at(node.obj, "spec", "strategy", "type")) == "Recreate" or number(node.status.get("readyReplicas")):
        return
    rolling = at(node.obj, "spec", "strategy", "rollingUpdate")
    most, surge = at(rolling, "maxUnavailable"), at(rolling, "maxSurge")
    wanted = number(node.spec.get("replicas")) or 1
    if not (most == "100%" or (number(most) >= wanted and number(most) > 1)) or surge not in {0, "0", "0%"}:
        return
    yield Hypothesis(
        cause="rollout_strategy",
        root=node.ref,
        certainty=Confidence.LIKELY,
        explanation=(
            f"Deployment {node.ref.name} may lose all of its {wanted} pods at once while it rolls out "
            f"(maxUnavailable {most}, maxSurge {surge}), and none of the new ones is ready yet."
        ),
        because=f"its strategy takes all pods away at once (maxUnavailable {most}, maxSurge {surge})",
        citations=(*symptom.citations, cite(node, f"spec.strategy.rollingUpdate: {rolling}")),
        fixes=(_fix(case),),
        weight=30,
    )


def _fix(case: Case) -> Fix:
    node = case.subject
    value = {"maxUnavailable": _USUAL, "maxSurge": _USUAL}
    return json_fix(
        case,
        node,
        [{"op": "replace", "path": "/spec/strategy/rollingUpdate", "value": value}],
        id="roll-gradually",
        summary=f"Let Deployment {node.ref.name} replace a quarter of its pods at a time",
        risk=Risk.LOW,
        provenance=[
            Provenance(
                path="spec.strategy.rollingUpdate",
                value=value,
                source="what Kubernetes takes where nothing is said",
                evidence_id=node.evidence_id,
            )
        ],
    )


PLUGIN = rule("rollout_strategy", examine, Trouble.STUCK)
