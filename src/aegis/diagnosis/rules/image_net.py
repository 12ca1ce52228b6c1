"""The node does not reach the registry."""

import re

from aegis.diagnosis.case import Trouble
from aegis.diagnosis.messages import Meaning, message_rule

PLUGIN = message_rule(
    "image_net",
    Trouble.PULL,
    meaning=Meaning(
        pattern=re.compile(
            r"dial tcp[^\n]*(?:i/o timeout|no such host|connection refused|no route|unreachable)|x509|TLS handshake timeout"
            r"|Client\.Timeout exceeded"
        ),
        explanation="The node cannot speak with the registry of {image}: its name does not resolve, it does not answer, or its "
        "certificate is not trusted.",
        because="its image {image} lies in a registry that the node does not reach",
        advice="Mend the node's way to the registry (DNS, proxy, certificate authority), or correct the registry's name",
        weight=75,
    ),
)
