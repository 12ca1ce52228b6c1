"""The registry answers that too much is pulled."""

import re

from aegis.diagnosis.case import Trouble
from aegis.diagnosis.messages import Meaning, message_rule

PLUGIN = message_rule(
    "image_rate_limit",
    Trouble.PULL,
    meaning=Meaning(
        pattern=re.compile(r"toomanyrequests|too many requests|rate limit", re.IGNORECASE),
        explanation="The registry limits how much is pulled (toomanyrequests), so {image} does not arrive for now.",
        because="it pulls {image} from a registry that limits it",
        advice="Pull through a mirror, or with a pull secret that has a higher limit",
        weight=75,
    ),
)
