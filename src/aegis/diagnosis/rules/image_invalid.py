"""The image's name is not one."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.images import image_fixes
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.model.changes import Fix


def _fixes(case: Case, symptom: Symptom, _match: re.Match[str]) -> tuple[Fix, ...]:
    view = case.container(symptom)
    return image_fixes(case, symptom, view) if view else ()


PLUGIN = message_rule(
    "image_invalid",
    Trouble.PULL,
    meaning=Meaning(
        pattern=re.compile(r""),
        reasons=frozenset({"InvalidImageName"}),
        explanation="The image of container {container}, {image}, is no valid image name.",
        because="its pod template names the image {image}",
        advice="Correct the image's name",
        fixes=_fixes,
        weight=90,
    ),
)
