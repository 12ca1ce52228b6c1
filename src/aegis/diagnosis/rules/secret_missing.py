"""A Secret that the pod needs is not there."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.diagnosis.references import retarget
from aegis.model.changes import Fix, Risk


def _fixes(case: Case, _symptom: Symptom, match: re.Match[str]) -> tuple[Fix, ...]:
    return retarget(case, "Secret", match["name"])


PLUGIN = message_rule(
    "secret_missing",
    Trouble.CONFIG,
    meaning=Meaning(
        pattern=re.compile(r'secrets? "(?P<name>[^"]+)" not found', re.IGNORECASE),
        explanation="Secret {name}, which the pod needs, does not exist.",
        because="its pod template needs Secret {name}, which is not there",
        advice="Create Secret {name} from where it is kept: its values cannot be made up",
        fixes=_fixes,
        risk=Risk.HIGH,
        weight=80,
    ),
)
