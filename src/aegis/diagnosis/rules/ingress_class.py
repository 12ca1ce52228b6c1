"""An Ingress belongs to a class that is not there, or to none."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, rule
from aegis.diagnosis.mend import from_object, human_fix, patch_fix
from aegis.model.changes import Fix, Risk
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """All classes were listed, and the one that is named is not among them."""
    if symptom.reason != "IngressClass":
        return
    yield Hypothesis(
        cause="ingress_class",
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED,
        explanation=f"Ingress {case.subject.ref.name} names the IngressClass {symptom.message}, which does not exist, so no controller "
        "serves it.",
        because=f"its ingressClassName is {symptom.message}",
        citations=symptom.citations,
        fixes=(_fix(case),),
        weight=72,
    )


def _fix(case: Case) -> Fix:
    """The only class that there is; with several, a person chooses."""
    classes = case.graph.of_kind("IngressClass")
    if len(classes) != 1:
        return human_fix(
            "set-class",
            f"Name an IngressClass that exists: {', '.join(c.ref.name for c in classes) or 'there is none'}",
        )
    name = classes[0].ref.name
    return patch_fix(
        case,
        case.subject,
        {"spec": {"ingressClassName": name}},
        id="set-class",
        summary=f"Give Ingress {case.subject.ref.name} the class {name}",
        risk=Risk.MEDIUM,
        provenance=[from_object("spec.ingressClassName", name, classes[0], "the only IngressClass")],
    )


PLUGIN = rule("ingress_class", examine, Trouble.ROUTE)
