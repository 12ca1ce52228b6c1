"""The pods must not share a node, and there are too few nodes."""

import re

from aegis.diagnosis.case import Trouble
from aegis.diagnosis.messages import Meaning, message_rule

PLUGIN = message_rule(
    "sched_antiaffinity",
    Trouble.SCHEDULING,
    meaning=Meaning(
        pattern=re.compile(r"didn't match pod anti-affinity rules"),
        explanation="The pods must not share a node (required anti-affinity), and no further node is left, so this one stays Pending.",
        because="its required pod anti-affinity asks for more nodes than there are",
        advice="Add a node, ask for fewer replicas, or prefer the anti-affinity rather than require it",
        weight=62,
    ),
)
