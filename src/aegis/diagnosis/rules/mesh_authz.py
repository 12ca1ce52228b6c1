"""A service mesh forbids the call."""

import re

from aegis.diagnosis.saying import Saying, saying_rule
from aegis.model.changes import Risk

PLUGIN = saying_rule(
    "mesh_authz",
    Saying(
        pattern=re.compile(r"RBAC: access denied", re.IGNORECASE),
        explanation="The service mesh forbids a call of container {container}: {line}",
        because="an authorization policy of the mesh forbids its calls",
        advice="Allow the call in the AuthorizationPolicy, as narrowly as it is needed",
        risk=Risk.HIGH,
        weight=45,
    ),
)
