"""A consumer does not keep up."""

import re

from aegis.diagnosis.saying import Saying, saying_rule

PLUGIN = saying_rule(
    "kafka_lag",
    Saying(
        pattern=re.compile(
            r"consumer lag|OffsetOutOfRange|poison (?:pill|message)|max\.poll\.interval\.ms", re.IGNORECASE
        ),
        explanation="A consumer does not keep up or stumbles over a message: {line}",
        because="it does not keep up with its topic",
        advice="Scale to no more than the partitions, or deal with the message that stops it",
        weight=35,
    ),
)
