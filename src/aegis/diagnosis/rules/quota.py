"""The namespace's quota leaves no room for the pods."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.diagnosis.restore import restore_container
from aegis.kube.pod_template import containers, pod_spec_of
from aegis.model.changes import Fix
from aegis.model.refs import ObjectRef


def _root(case: Case, _symptom: Symptom, match: re.Match[str]) -> ObjectRef:
    return ObjectRef(api_version="v1", kind="ResourceQuota", name=match["name"], namespace=case.namespace)


def _fixes(case: Case, _symptom: Symptom, _match: re.Match[str]) -> tuple[Fix, ...]:
    """Requests as they were while it fitted."""
    names = [found.name for found in containers(pod_spec_of(case.subject.obj) or {})]
    return tuple(
        fix for name in names[:1] for fix in restore_container(case, name, ("resources",), what="the requests")
    )


PLUGIN = message_rule(
    "quota",
    Trouble.ADMISSION,
    meaning=Meaning(
        pattern=re.compile(
            r"exceeded quota: (?P<name>[a-z0-9.-]+), (?P<room>requested: [^\n]+?, used: [^\n]+?, limited: \S+)"
            r"|failed quota: (?P<quota>[a-z0-9.-]+): (?P<must>must specify [^\n]+)"
        ),
        explanation="ResourceQuota {name}{quota} refuses the pods: {room}{must}.",
        because="ResourceQuota {name}{quota} refuses its pods: {room}{must}",
        advice="Raise ResourceQuota {name}{quota}, or let the workload ask for less",
        root=lambda case, symptom, match: _root(case, symptom, match) if match["name"] else None,
        fixes=_fixes,
        weight=80,
    ),
)
