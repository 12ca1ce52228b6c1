"""Pod Security refuses the pods."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.diagnosis.restore import restore_pod
from aegis.model.changes import Fix


def _fixes(case: Case, _symptom: Symptom, _match: re.Match[str]) -> tuple[Fix, ...]:
    return restore_pod(case, ("securityContext", "containers", "initContainers", "volumes"), what="the pod's security")


PLUGIN = message_rule(
    "psa",
    Trouble.ADMISSION,
    meaning=Meaning(
        pattern=re.compile(r'violates PodSecurity "(?P<level>[a-z]+):[^"]*": (?P<what>[^\n]+)'),
        explanation='The namespace enforces Pod Security "{level}", which refuses the pods: {what}.',
        because='its pods break Pod Security "{level}"',
        advice="Make the pods comply (runAsNonRoot, seccompProfile RuntimeDefault, drop ALL capabilities, no privilege "
        "escalation); never lower the namespace's level",
        fixes=_fixes,
        weight=80,
    ),
)
