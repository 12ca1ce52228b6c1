"""Every node that would do has a taint that the pod does not tolerate."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.diagnosis.restore import restore_pod
from aegis.model.changes import Fix, Risk


def _fixes(case: Case, _symptom: Symptom, _match: re.Match[str]) -> tuple[Fix, ...]:
    return restore_pod(case, ("tolerations", "nodeSelector"), what="the tolerations")


PLUGIN = message_rule(
    "sched_taint",
    Trouble.SCHEDULING,
    meaning=Meaning(
        pattern=re.compile(
            r"untolerated taint(?:\(s\))? ?\{?(?P<taint>[^,}]*)|had taints? \{?(?P<old>[^,}]*)\}?, that the pod didn't tolerate"
        ),
        explanation="The nodes carry a taint that the pod does not tolerate ({taint}{old}), so it stays Pending.",
        because="its pods do not tolerate the taint {taint}{old}",
        advice="Give the pods a toleration for {taint}{old}, or let a person take the taint off the nodes",
        fixes=_fixes,
        risk=Risk.HIGH,
        weight=60,
    ),
)
