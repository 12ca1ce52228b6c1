"""The command of a container is there and may not be executed."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.diagnosis.restore import restore_container
from aegis.model.changes import Fix


def _fixes(case: Case, symptom: Symptom, _match: re.Match[str]) -> tuple[Fix, ...]:
    return restore_container(case, symptom.container, ("command", "args", "image", "volumeMounts"), what="the command")


PLUGIN = message_rule(
    "not_executable",
    Trouble.CRASH,
    Trouble.CONFIG,
    meaning=Meaning(
        pattern=re.compile(
            r'exec: \\?"(?P<command>[^"\\]+)\\?": permission denied|exec (?P<script>/[^\s:]+): permission denied'
        ),
        reasons=frozenset({"StartError", "RunContainerError", "ContainerCannotRun", "CreateContainerError"}),
        explanation="The command {command}{script} of container {container} may not be executed: its mode bits forbid it, or it "
        "lies on a volume that is mounted noexec.",
        because="its pod template starts {command}{script}, which is not executable",
        advice="Make {command}{script} executable in the image, or start it through its interpreter",
        fixes=_fixes,
        weight=85,
    ),
)
