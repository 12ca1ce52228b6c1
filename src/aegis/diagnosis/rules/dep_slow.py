"""A dependency is slow."""

import re

from aegis.diagnosis.saying import Saying, saying_rule

PLUGIN = saying_rule(
    "dep_slow",
    Saying(
        pattern=re.compile(
            r"(?:context )?deadline exceeded|upstream request timeout|query took|slow query|read timed? ?out",
            re.IGNORECASE,
        ),
        explanation="What container {container} depends on is slow: {line}",
        because="it waits too long for what it depends on",
        advice="Look at the dependency (load, indices, limits)",
        weight=30,
    ),
)
