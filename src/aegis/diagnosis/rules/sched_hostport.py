"""The port of the host that the pod asks for is taken."""

import re

from aegis.diagnosis.case import Trouble
from aegis.diagnosis.messages import Meaning, message_rule

PLUGIN = message_rule(
    "sched_hostport",
    Trouble.SCHEDULING,
    meaning=Meaning(
        pattern=re.compile(r"didn't have free ports"),
        explanation="The pod asks for a port of the host (hostPort) that is taken on every node, so it stays Pending.",
        because="its pod template asks for a hostPort that is taken",
        advice="Do without the hostPort (a Service reaches the pods), or choose another",
        weight=62,
    ),
)
