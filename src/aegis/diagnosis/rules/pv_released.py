"""A claim waits for a volume that still remembers the claim before it."""

from __future__ import annotations

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.reading import mapping, text
from aegis.model.changes import Risk
from aegis.model.diagnosis import Confidence


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """A volume is Released, and its claimRef names this claim by another uid: it is never bound by itself again."""
    claim = symptom.subject
    uid = text(claim.metadata.get("uid"))
    for volume in case.graph.of_kind("PersistentVolume"):
        reference = mapping(volume.spec.get("claimRef"))
        named = (text(reference.get("namespace")), text(reference.get("name")))
        old = text(reference.get("uid"))
        if text(volume.status.get("phase")) != "Released" or named != (claim.ref.namespace, claim.ref.name):
            continue
        if uid and old == uid:
            continue
        name = volume.ref.name
        yield Hypothesis(
            cause="pv_released",
            root=volume.ref,
            certainty=Confidence.CONFIRMED if uid and old else Confidence.LIKELY,
            explanation=(
                f"PersistentVolume {name} was kept when an earlier claim {claim.ref.name} was deleted: it is Released, and "
                f"its claimRef still names that claim, so the new one does not get it."
            ),
            because="it is Released, and bound to a claim that is gone",
            citations=(cite(volume, "status.phase: Released", f"spec.claimRef: {'/'.join(named)}, uid {old}"),),
            fixes=(
                human_fix(
                    "release-volume",
                    f"If the data on {name} may be used again, remove its spec.claimRef; else provide another volume",
                    risk=Risk.HIGH,
                ),
            ),
            weight=60,
        )


PLUGIN = rule("pv_released", examine, Trouble.CLAIM)
