"""An autoscaler cannot scale what it names, or is told no metric."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, rule
from aegis.diagnosis.mend import human_fix
from aegis.model.diagnosis import Confidence

_ADVICE = {
    "FailedGetScale": (
        "hpa_target",
        "the object that its scaleTargetRef names cannot be scaled or is not there",
        "Correct scaleTargetRef",
    ),
    "FailedGetResourceMetric": (
        "hpa_nometrics",
        "it gets no metric of the pods",
        "Give the pods requests, and see that metrics-server runs",
    ),
    "TooManyReplicas": ("hpa_maxed", "it would scale beyond maxReplicas", "Raise maxReplicas within the quota"),
}


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """Its own conditions say so."""
    known = _ADVICE.get(symptom.reason)
    if known is None:
        return
    cause, why, advice = known
    yield Hypothesis(
        cause=cause,
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED,
        explanation=f"HorizontalPodAutoscaler {case.subject.ref.name} does not scale as it should: {why} ({symptom.message}).",
        because=why,
        citations=symptom.citations,
        fixes=(human_fix(cause.replace("_", "-"), advice),),
        weight=60,
    )


PLUGIN = rule("hpa_target", examine, Trouble.AUTOSCALER)
