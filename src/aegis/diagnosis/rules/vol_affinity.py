"""The volume lies where the pod may not run."""

import re

from aegis.diagnosis.case import Trouble
from aegis.diagnosis.messages import Meaning, message_rule

PLUGIN = message_rule(
    "vol_affinity",
    Trouble.SCHEDULING,
    meaning=Meaning(
        pattern=re.compile(r"had volume node affinity conflict"),
        explanation="The volume of the pod lies on a node or zone where the pod may not run, so it stays Pending.",
        because="its volume is tied to other nodes than its selector allows",
        advice="Align the node selector with where the volume lies",
        weight=66,
    ),
)
