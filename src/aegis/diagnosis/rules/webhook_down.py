"""An admission webhook that does not answer keeps pods from being created."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.model.changes import Risk
from aegis.model.refs import ObjectRef


def _root(_case: Case, _symptom: Symptom, match: re.Match[str]) -> ObjectRef | None:
    """The Service behind the webhook, where the message names it."""
    if not match["service"]:
        return None
    return ObjectRef(api_version="v1", kind="Service", name=match["service"], namespace=match["namespace"])


PLUGIN = message_rule(
    "webhook_down",
    Trouble.ADMISSION,
    meaning=Meaning(
        pattern=re.compile(
            r'failed calling webhook "(?P<name>[^"]+)": (?!.*x509)(?:.*?https://(?P<service>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc)?'
            r"[^\n]*(?:connection refused|no endpoints available|context deadline exceeded|not found|timeout)"
        ),
        explanation="Admission webhook {name} does not answer, and pods may not be created without its word.",
        because="it stands behind webhook {name} and does not answer",
        advice="Bring the backend of webhook {name} up again; as a last resort a person may set its failurePolicy to Ignore",
        root=_root,
        risk=Risk.HIGH,
        weight=80,
    ),
)
