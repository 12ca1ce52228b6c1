"""The command of a container is not in its image."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.diagnosis.restore import restore_container
from aegis.model.changes import Fix


def _fixes(case: Case, symptom: Symptom, _match: re.Match[str]) -> tuple[Fix, ...]:
    return restore_container(case, symptom.container, ("command", "args"), what="the command") or restore_container(
        case, symptom.container, ("image",), what="the image"
    )


PLUGIN = message_rule(
    "cmd_not_found",
    Trouble.CRASH,
    Trouble.CONFIG,
    meaning=Meaning(
        pattern=re.compile(
            r'exec: \\?"(?P<command>[^"\\]+)\\?": (?:executable file not found in \$PATH|stat [^:]+: no such file or directory)'
            r"|exec (?P<script>/[^\s:]+): no such file or directory"
        ),
        reasons=frozenset({"StartError", "RunContainerError", "ContainerCannotRun", "CreateContainerError"}),
        explanation="The command {command}{script} of container {container} does not exist in the image {image}.",
        because="its pod template starts container {container} with the command {command}{script}",
        advice="Correct the command of container {container}: {command}{script} is not in the image {image}",
        fixes=_fixes,
        weight=85,
    ),
)
