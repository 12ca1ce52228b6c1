"""A certificate has expired."""

import re

from aegis.diagnosis.saying import Saying, saying_rule
from aegis.model.changes import Risk

PLUGIN = saying_rule(
    "tls_expired",
    Saying(
        pattern=re.compile(
            r"certificate (?:has )?expired|x509: certificate has expired|CERTIFICATE_HAS_EXPIRED|certificate is not yet valid",
            re.IGNORECASE,
        ),
        explanation="A certificate that container {container} has to trust has expired: {line}",
        because="it meets a certificate that has expired",
        advice="Renew the certificate",
        risk=Risk.HIGH,
        weight=45,
    ),
)
