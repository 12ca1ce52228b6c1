"""The priority class that the pods name is not there."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.diagnosis.references import retarget
from aegis.model.changes import Fix


def _fixes(case: Case, _symptom: Symptom, match: re.Match[str]) -> tuple[Fix, ...]:
    return retarget(case, "PriorityClass", match["name"])


PLUGIN = message_rule(
    "priorityclass_missing",
    Trouble.ADMISSION,
    meaning=Meaning(
        pattern=re.compile(r"no PriorityClass with name (?P<name>[a-z0-9.-]+)"),
        explanation="The pods name PriorityClass {name}, which does not exist, so none is created.",
        because="its pod template names PriorityClass {name}, which is not there",
        advice="Correct the name of the priority class",
        fixes=_fixes,
        weight=80,
    ),
)
