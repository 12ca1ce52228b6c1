"""The pods must be spread evenly, and cannot be."""

import re

from aegis.diagnosis.case import Trouble
from aegis.diagnosis.messages import Meaning, message_rule

PLUGIN = message_rule(
    "sched_spread",
    Trouble.SCHEDULING,
    meaning=Meaning(
        pattern=re.compile(r"didn't match pod topology spread constraints"),
        explanation="The pods must be spread evenly over the topology (DoNotSchedule), and no permitted node is left, so this one stays Pending.",
        because="its topology spread constraints leave no node",
        advice="Loosen the topology spread constraint (ScheduleAnyway), or add nodes where they lack",
        weight=62,
    ),
)
