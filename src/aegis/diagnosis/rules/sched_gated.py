"""The pod waits for a scheduling gate."""

import re

from aegis.diagnosis.case import Trouble
from aegis.diagnosis.messages import Meaning, message_rule

PLUGIN = message_rule(
    "sched_gated",
    Trouble.SCHEDULING,
    meaning=Meaning(
        pattern=re.compile(r"non-empty schedulingGates|SchedulingGated|[Ss]cheduling is blocked"),
        explanation="The pod carries scheduling gates that its controller has not taken off, so it is not scheduled.",
        because="its scheduling gates are not taken off",
        advice="Find out why the controller that set the gates does not take them off",
        weight=70,
    ),
)
