"""A volume claim finds no volume."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, confirmed_if, rule
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.reading import at, text
from aegis.model.changes import Risk


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """It is Pending, and its class makes no volume of itself or no volume fits."""
    claim = symptom.subject
    told = [
        event
        for event in case.events(symptom)
        if event.reason in {"FailedBinding", "ProvisioningFailed", "ExternalProvisioning"}
    ]
    wants = text(at(claim.obj, "spec", "resources", "requests", "storage"))
    modes = ", ".join(map(str, claim.spec.get("accessModes") or ()))
    why = told[0].message if told else "no volume fits it"
    yield Hypothesis(
        cause="pvc_unbound",
        root=claim.ref,
        certainty=confirmed_if(told),
        explanation=f"PersistentVolumeClaim {claim.ref.name} ({wants} {modes}, class {claim.spec.get('storageClassName') or 'none'}) "
        f"is not bound: {why}",
        because=f"it is not bound: {why}",
        citations=(*(cite(event) for event in told[:1]), cite(claim, f"status.phase: {claim.status.get('phase')}")),
        fixes=(
            human_fix(
                "provide-volume",
                f"Provide a volume for {claim.ref.name}, or correct its size, mode or class",
                risk=Risk.HIGH,
            ),
        ),
        weight=40,
    )


PLUGIN = rule("pvc_unbound", examine, Trouble.CLAIM)
