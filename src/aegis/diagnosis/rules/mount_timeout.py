"""A volume does not get mounted in time."""

import re

from aegis.diagnosis.case import Trouble
from aegis.diagnosis.messages import Meaning, message_rule

PLUGIN = message_rule(
    "mount_timeout",
    Trouble.CONFIG,
    meaning=Meaning(
        pattern=re.compile(r"timed out waiting for the condition|[Uu]nable to attach or mount volumes"),
        explanation="The volumes of the pod are not mounted in time: the storage driver or what lies behind it does not answer.",
        because="its volumes are not mounted in time",
        advice="Look at the storage driver pods and the storage behind them",
        weight=30,
    ),
)
