"""The registry refuses the image without (other) credentials."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.images import image_fixes
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.model.changes import Fix
from aegis.model.diagnosis import Alternative, Confidence


def _fixes(case: Case, symptom: Symptom, _match: re.Match[str]) -> tuple[Fix, ...]:
    """The image that was pulled before; credentials are never made up."""
    view = case.container(symptom)
    back = image_fixes(case, symptom, view) if view else ()
    advice = human_fix("grant-pull", "Correct the image's name, or name a pull secret that may read its registry")
    return (*(fix for fix in back if fix.change_set), advice)


PLUGIN = message_rule(
    "image_auth",
    Trouble.PULL,
    meaning=Meaning(
        pattern=re.compile(
            r"pull access denied|unauthorized|insufficient_scope|authentication required|no basic auth credentials|403 Forbidden",
            re.IGNORECASE,
        ),
        explanation="The registry refuses to hand out the image {image} of container {container}: it is private and no pull "
        "secret opens it, or it does not exist (public registries answer the same to both).",
        because="its pod template names the image {image}, which it may not pull",
        advice="Correct the image's name, or name a pull secret that may read its registry",
        fixes=_fixes,
        certainty=Confidence.LIKELY,
        not_for=(
            Alternative(cause="image_not_found", why_not="the registry speaks of access; it may mean this as well"),
        ),
        weight=70,
    ),
)
