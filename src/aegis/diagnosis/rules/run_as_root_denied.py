"""The pod must not run as root, and its image would."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.diagnosis.restore import restore_container, restore_pod
from aegis.model.changes import Fix


def _fixes(case: Case, symptom: Symptom, _match: re.Match[str]) -> tuple[Fix, ...]:
    what = "the security context"
    return restore_container(case, symptom.container, ("securityContext",), what=what) or restore_pod(
        case, ("securityContext",), what=what
    )


PLUGIN = message_rule(
    "run_as_root_denied",
    Trouble.CONFIG,
    meaning=Meaning(
        pattern=re.compile(
            r"container has runAsNonRoot and image (?:will run as root|has non-numeric user[^,\n]*)"
            r"|container's runAsUser breaks non-root policy"
        ),
        explanation="Container {container} must not run as root (runAsNonRoot), but nothing names another user for it.",
        because="runAsNonRoot is set without a runAsUser for the image {image}",
        advice="Set securityContext.runAsUser of container {container} to the user that its image is made for (not 0)",
        fixes=_fixes,
        weight=85,
    ),
)
