"""The nodes hold as many pods as they may."""

import re

from aegis.diagnosis.case import Trouble
from aegis.diagnosis.messages import Meaning, message_rule

PLUGIN = message_rule(
    "sched_toomany",
    Trouble.SCHEDULING,
    meaning=Meaning(
        pattern=re.compile(r"Too many pods"),
        explanation="The nodes hold as many pods as they may (Too many pods), so this one stays Pending.",
        because="no node may take another pod",
        advice="Add nodes, or remove pods that are not needed",
        weight=58,
    ),
)
