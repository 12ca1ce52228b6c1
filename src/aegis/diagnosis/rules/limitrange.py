"""A LimitRange refuses the pods."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.limits import fit_limit_range
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.model.changes import Fix


def _fixes(case: Case, _symptom: Symptom, match: re.Match[str]) -> tuple[Fix, ...]:
    return fit_limit_range(case, resource=match["resource"], bound=match["bound"], most=match["side"] == "maximum")


PLUGIN = message_rule(
    "limitrange",
    Trouble.ADMISSION,
    meaning=Meaning(
        pattern=re.compile(
            r"(?P<side>maximum|minimum) (?P<resource>cpu|memory) usage per (?P<scope>Container|Pod) is (?P<bound>[^\s,]+)"
            r"(?:, but (?P<what>limit|request) is (?P<asked>[^\s,.\]]+))?"
        ),
        explanation="A LimitRange of the namespace refuses the pods: the {side} {resource} per {scope} is {bound}, "
        "but the {what} is {asked}.",
        because="its {resource} {what} {asked} is beyond the {side} of {bound}",
        advice="Set the {resource} {what} within the {side} of {bound}",
        fixes=_fixes,
        weight=80,
    ),
)
