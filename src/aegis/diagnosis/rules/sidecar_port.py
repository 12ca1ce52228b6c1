"""Two containers of one pod want the same port."""

import re

from aegis.diagnosis.saying import Saying, saying_rule

PLUGIN = saying_rule(
    "sidecar_port",
    Saying(
        pattern=re.compile(r"address already in use|EADDRINUSE|bind\(\) to [^\n]* failed \(98", re.IGNORECASE),
        explanation="The port that container {container} wants is taken by another container of the same pod: {line}",
        because="container {container} wants a port that another container of the pod has",
        advice="Give one of the containers another port",
        weight=45,
    ),
)
