"""A key that the pod needs is not in its ConfigMap or Secret."""

import re

from aegis.diagnosis.case import Case, Symptom, Trouble
from aegis.diagnosis.messages import Meaning, message_rule
from aegis.diagnosis.references import rekey
from aegis.model.changes import Fix
from aegis.model.refs import ObjectRef

_FOUND = re.compile(
    r"couldn't find key (?P<key>\S+) in (?P<kind>ConfigMap|Secret) (?P<namespace>[^/\s]+)/(?P<name>[a-z0-9.-]+)"
    r"|(?:references non-existent|configmap references non-existent|secret references non-existent) (?:config|secret) key: (?P<mount>\S+)"
)


def _fixes(case: Case, symptom: Symptom, match: re.Match[str]) -> tuple[Fix, ...]:
    if not match["kind"]:
        return ()
    return rekey(case, symptom.container, kind=match["kind"], name=match["name"], key=match["key"])


def _root(case: Case, _symptom: Symptom, match: re.Match[str]) -> ObjectRef | None:
    """The object that lacks the key, unless another key of it is meant: then the workload names a wrong one."""
    if not match["kind"] or rekey(case, "", kind=match["kind"], name=match["name"], key=match["key"], probe=True):
        return None
    return ObjectRef(api_version="v1", kind=match["kind"], name=match["name"], namespace=case.namespace)


PLUGIN = message_rule(
    "key_missing",
    Trouble.CONFIG,
    meaning=Meaning(
        pattern=_FOUND,
        explanation="{kind} {name} has no key {key}{mount}, which container {container} needs.",
        because="the key {key}{mount} of {kind} {name} is needed and not there",
        advice="Add the key {key}{mount} to {kind} {name}, or correct the name of the key",
        fixes=_fixes,
        root=_root,
        weight=85,
    ),
)
