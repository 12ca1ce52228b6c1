"""A ConfigMap that the pod needs is not there."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.diagnosis.references import retarget
from aegis.model.changes import Fix


def _fixes(case: Case, _symptom: Symptom, match: re.Match[str]) -> tuple[Fix, ...]:
    return retarget(case, "ConfigMap", match["name"])


PLUGIN = message_rule(
    "cm_missing",
    Trouble.CONFIG,
    meaning=Meaning(
        pattern=re.compile(r'configmaps? "(?P<name>[^"]+)" not found', re.IGNORECASE),
        explanation="ConfigMap {name}, which the pod needs, does not exist.",
        because="its pod template needs ConfigMap {name}, which is not there",
        advice="Create ConfigMap {name} again from where it is kept, or correct the name",
        fixes=_fixes,
        weight=80,
    ),
)
