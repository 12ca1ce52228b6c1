"""The image is not on the node and may not be pulled."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.diagnosis.restore import restore_container
from aegis.model.changes import Fix


def _fixes(case: Case, symptom: Symptom, _match: re.Match[str]) -> tuple[Fix, ...]:
    return restore_container(
        case, symptom.container, ("imagePullPolicy", "image"), what="the image and its pull policy"
    )


PLUGIN = message_rule(
    "image_never",
    Trouble.PULL,
    meaning=Meaning(
        pattern=re.compile(r""),
        reasons=frozenset({"ErrImageNeverPull"}),
        explanation="The image {image} of container {container} is not on the node, and imagePullPolicy Never forbids to pull it.",
        because="its imagePullPolicy is Never",
        advice="Set imagePullPolicy of container {container} to IfNotPresent",
        fixes=_fixes,
        weight=90,
    ),
)
