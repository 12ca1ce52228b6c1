"""A volume claim names a storage class that is not there."""

from __future__ import annotations

import re

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.graph import surely_absent
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.reading import text
from aegis.model.changes import Risk

_NOT_FOUND = re.compile(r'storageclass(?:\.storage\.k8s\.io)? "(?P<name>[^"]+)" not found')


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The provisioner says so, or all classes were listed and this is none of them."""
    claim = symptom.subject
    name = text(claim.spec.get("storageClassName"))
    event = next((event for event in case.events(symptom) if _NOT_FOUND.search(event.message)), None)
    absent = bool(name) and surely_absent(case.graph, "StorageClass", "", name)
    if event is None and not absent:
        return
    match = _NOT_FOUND.search(event.message) if event else None
    name = match["name"] if match else name
    others = ", ".join(node.ref.name for node in case.graph.of_kind("StorageClass"))
    yield Hypothesis(
        cause="pvc_sc_missing",
        root=claim.ref,
        certainty=confirmed_if(event or absent),
        explanation=f"PersistentVolumeClaim {claim.ref.name} asks for the StorageClass {name}, which does not exist, so no volume "
        "is made for it." + (f" There are: {others}." if others else ""),
        because=f"it names the StorageClass {name}, which is not there",
        citations=(*((cite(event),) if event else ()), cite(claim, f"spec.storageClassName: {name}")),
        fixes=(
            human_fix(
                "recreate-claim",
                f"Make the claim anew with a StorageClass that exists (a claim's class cannot be changed), or create {name}",
                risk=Risk.HIGH,
            ),
        ),
        weight=85,
    )


PLUGIN = rule("pvc_sc_missing", examine, Trouble.CLAIM)
