"""The node has no address left for the pod."""

import re

from aegis.diagnosis.case import Trouble
from aegis.diagnosis.messages import Meaning, message_rule

PLUGIN = message_rule(
    "cni_ip",
    Trouble.CONFIG,
    meaning=Meaning(
        pattern=re.compile(
            r"(?:no IP addresses available|no available IPs?|failed to (?:assign|allocate|request)[^\n]*IP|IP address (?:pool|range) [^\n]*exhausted)"
        ),
        explanation="The network plugin has no address left for the pod.",
        because="the pool of pod addresses is exhausted",
        advice="Enlarge the pool of pod addresses, or free addresses",
        weight=75,
    ),
)
