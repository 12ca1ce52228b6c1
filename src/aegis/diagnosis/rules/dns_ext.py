"""A name outside the cluster does not resolve."""

from __future__ import annotations

import re

from aegis.diagnosis.case import Case, Hypotheses, Hypothesis, Symptom, Trouble, cite, rule
from aegis.diagnosis.mend import human_fix
from aegis.diagnosis.said import UNRESOLVED, first_said
from aegis.model.diagnosis import Confidence

_EXTERNAL = re.compile(
    r"(?<![\w.@/-])((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){1,6}[a-z]{2,24})(?![\w.-]*\.svc)(?![\w-])", re.IGNORECASE
)
_INSIDE = re.compile(r"\.(?:svc|local|cluster|internal|py|js|go|java|rb|so|log|json|yaml|conf)$|\.svc\.")


def examine(case: Case, symptom: Symptom) -> Hypotheses:
    """The output says which name; no patch can make a host exist."""
    told = first_said(case, symptom, UNRESOLVED)
    if told is None:
        return
    hosts = [host for host in _EXTERNAL.findall(told.line) if not _INSIDE.search(host) and not _is_service(case, host)]
    if not hosts:
        return
    yield Hypothesis(
        cause="dns_ext",
        root=case.subject.ref,
        certainty=Confidence.LIKELY,
        explanation=f"The name {hosts[0]} does not resolve from {case.subject.ref.kind} {case.subject.ref.name}: it is misspelled, "
        "does not exist, or the cluster's DNS does not reach the outside.",
        because=f"it needs the host {hosts[0]}, whose name does not resolve",
        citations=(cite(told.source, told.line),),
        fixes=(human_fix("mend-host", f"Correct the host name {hosts[0]}, or let it resolve"),),
        weight=40,
        hearsay=True,
    )


def _is_service(case: Case, host: str) -> bool:
    name, _, namespace = host.partition(".")
    return case.graph.get("Service", namespace, name) is not None


PLUGIN = rule("dns_ext", examine, Trouble.CRASH, Trouble.NOT_READY, Trouble.HANGING, Trouble.ALERT)
