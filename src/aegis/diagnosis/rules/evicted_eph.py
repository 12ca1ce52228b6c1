"""The kubelet evicted the pod because the node ran low."""

import re

from aegis.diagnosis.case import Trouble
from aegis.diagnosis.messages import Meaning, message_rule

PLUGIN = message_rule(
    "evicted_eph",
    Trouble.CRASH,
    meaning=Meaning(
        pattern=re.compile(
            r"low on resource: (?P<resource>[a-z-]+)|exceeds the total limit|exceeded its local ephemeral storage limit"
        ),
        reasons=frozenset({"Evicted"}),
        explanation="The kubelet evicted the pod because its node ran low on {resource} or the pod used more ephemeral storage than it may.",
        because="its pods use more ephemeral storage or memory than the node can give",
        advice="Set ephemeral-storage limits that fit, or write to a volume instead",
        weight=80,
    ),
)
