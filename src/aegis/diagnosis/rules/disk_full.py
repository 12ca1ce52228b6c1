"""A volume is full."""

import re

from aegis.diagnosis.saying import Saying, saying_rule
from aegis.model.changes import Risk

PLUGIN = saying_rule(
    "disk_full",
    Saying(
        pattern=re.compile(r"no space left on device|disk quota exceeded|ENOSPC", re.IGNORECASE),
        explanation="A volume of container {container} is full: {line}",
        because="a volume that it writes to is full",
        advice="Make room, or enlarge the claim if its class allows it (that cannot be undone)",
        risk=Risk.HIGH,
        weight=45,
    ),
)
