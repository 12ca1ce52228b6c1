"""A path within a volume cannot be mounted."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.diagnosis.restore import restore_container
from aegis.model.changes import Fix


def _fixes(case: Case, symptom: Symptom, _match: re.Match[str]) -> tuple[Fix, ...]:
    return restore_container(case, symptom.container, ("volumeMounts",), what="the mounts")


PLUGIN = message_rule(
    "subpath_bad",
    Trouble.CONFIG,
    Trouble.CRASH,
    meaning=Meaning(
        pattern=re.compile(
            r"failed to prepare subPath|subPath[^\n]*(?:not a directory|no such file)|are you trying to mount a directory"
        ),
        explanation="A mount of container {container} cannot be made: its subPath does not fit what the volume holds.",
        because="a volumeMount of container {container} has a subPath that does not fit",
        advice="Correct the subPath of the mount",
        fixes=_fixes,
        weight=70,
    ),
)
