"""The service account that the pods shall run as is not there."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.diagnosis.references import retarget
from aegis.model.changes import Fix


def _fixes(case: Case, _symptom: Symptom, match: re.Match[str]) -> tuple[Fix, ...]:
    return retarget(case, "ServiceAccount", match["name"])


PLUGIN = message_rule(
    "sa_missing",
    Trouble.ADMISSION,
    meaning=Meaning(
        pattern=re.compile(
            r'(?:serviceaccount|service account) (?:[a-z0-9-]+/)?"?(?P<name>[a-z0-9.-]+)"? (?:was )?not found'
        ),
        explanation="The pods shall run as ServiceAccount {name}, which does not exist, so none is created.",
        because="its pod template names ServiceAccount {name}, which is not there",
        advice="Create ServiceAccount {name} again, or correct the name",
        fixes=_fixes,
        weight=80,
    ),
)
