"""The connections of a dependency are used up."""

import re

from aegis.diagnosis.saying import Saying, saying_rule

PLUGIN = saying_rule(
    "pool",
    Saying(
        pattern=re.compile(
            r"too many connections|remaining connection slots|connection pool (?:is )?exhausted|pool timeout|QueuePool limit",
            re.IGNORECASE,
        ),
        explanation="The connections to what container {container} depends on are used up: {line}",
        because="it finds no free connection: {line}",
        advice="Restart what leaks connections, or enlarge the pool",
        weight=45,
    ),
)
