"""The volume claim that the pod names is not there."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.diagnosis.references import retarget
from aegis.model.changes import Fix


def _fixes(case: Case, _symptom: Symptom, match: re.Match[str]) -> tuple[Fix, ...]:
    return retarget(case, "PersistentVolumeClaim", match["name"])


PLUGIN = message_rule(
    "pvc_missing",
    Trouble.SCHEDULING,
    Trouble.CONFIG,
    meaning=Meaning(
        pattern=re.compile(r'persistentvolumeclaim "(?P<name>[^"]+)" (?:not found|is being deleted)'),
        explanation="PersistentVolumeClaim {name}, which the pod mounts, does not exist, so the pod stays Pending.",
        because="its pod template names PersistentVolumeClaim {name}, which is not there",
        advice="Create PersistentVolumeClaim {name}, or correct the name",
        fixes=_fixes,
        weight=82,
    ),
)
