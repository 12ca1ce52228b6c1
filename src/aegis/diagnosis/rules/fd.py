"""The container has too many files open."""

import re

from aegis.diagnosis.saying import Saying, saying_rule

PLUGIN = saying_rule(
    "fd",
    Saying(
        pattern=re.compile(r"too many open files|EMFILE", re.IGNORECASE),
        explanation="Container {container} has more files open than it may: {line}",
        because="it opens more files than it may",
        advice="Close what is opened, or raise the limit of open files",
        weight=45,
    ),
)
