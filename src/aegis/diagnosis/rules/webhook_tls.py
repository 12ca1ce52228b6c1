"""An admission webhook's certificate is not trusted."""

import re

from aegis.diagnosis.case import Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.model.changes import Risk

PLUGIN = message_rule(
    "webhook_tls",
    Trouble.ADMISSION,
    meaning=Meaning(
        pattern=re.compile(r'failed calling webhook "(?P<name>[^"]+)": [^\n]*x509: (?P<what>[^\n]+)'),
        explanation="The certificate of admission webhook {name} is not trusted ({what}), so pods are refused.",
        because="webhook {name} shows a certificate that its caBundle does not vouch for",
        advice="Renew the caBundle of webhook {name} from its serving certificate",
        risk=Risk.HIGH,
        weight=80,
    ),
)
