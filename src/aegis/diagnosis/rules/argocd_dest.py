"""An Argo CD application brings objects for a namespace that is not there."""

from __future__ import annotations

import re

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, rule
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.reading import items, text
from aegis.diagnosis.services import likeness
from aegis.model.diagnosis import Confidence

_NOT_FOUND = re.compile(r'namespaces? "(?P<name>[^"]+)" not found')
_ALIKE = 0.8


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The sync says which; its other resources name the namespace that was most likely meant."""
    match = _NOT_FOUND.search(symptom.message)
    if match is None:
        return
    name = match["name"]
    resources = items(symptom.subject.status.get("resources"))
    there = {text(entry.get("namespace")) for entry in resources} | {
        node.ref.name for node in case.graph.of_kind("Namespace")
    }
    near = sorted(other for other in there - {name, ""} if likeness(other, name) >= _ALIKE)
    which = ", ".join(
        f"{entry.get('kind')} {entry.get('name')}" for entry in resources if entry.get("namespace") == name
    )
    meant = f"; {near[0]}, which its other objects use, is most likely meant" if near else ""
    yield Hypothesis(
        cause="argocd_dest",
        root=case.subject.ref,
        certainty=Confidence.CONFIRMED,
        explanation=f"Application {case.subject.ref.name} does not synchronise: namespace {name}, which {which or 'an object of it'} "
        f"names, does not exist{meant}.",
        because=f"its source names the namespace {name}, which is not there",
        citations=symptom.citations,
        fixes=(
            human_fix(
                "mend-source",
                f"Correct the namespace {name} in the application's source" + (f" to {near[0]}" if near else ""),
            ),
        ),
        weight=80,
    )


PLUGIN = rule("argocd_dest", examine, Trouble.APPLICATION)
