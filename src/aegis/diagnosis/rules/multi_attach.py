"""A volume that one node may mount is wanted on two."""

import re

from aegis.diagnosis.case import Trouble
from aegis.diagnosis.messages import Meaning, message_rule

PLUGIN = message_rule(
    "multi_attach",
    Trouble.CONFIG,
    meaning=Meaning(
        pattern=re.compile(r"Multi-Attach error for volume \"?(?P<volume>[^\s\"]+)"),
        explanation="Volume {volume} may be mounted on one node only (ReadWriteOnce) and another node still has it.",
        because="its volume {volume} is still attached to another node",
        advice="Use the strategy Recreate, one replica, or a volume that many nodes may mount",
        weight=75,
    ),
)
