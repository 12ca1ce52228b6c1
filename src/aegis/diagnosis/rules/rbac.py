"""The service account may not do what the program does."""

import re

from aegis.diagnosis.case import Case, Symptom
from aegis.diagnosis.reading import items, mapping, text
from aegis.diagnosis.saying import Saying, saying_rule
from aegis.model.changes import Risk
from aegis.model.refs import ObjectRef


def _root(case: Case, _symptom: Symptom, match: re.Match[str]) -> ObjectRef:
    """The one role that the account has, which lacks the right; else the account."""
    found = []
    for binding in case.graph.of_kind("RoleBinding", match["namespace"]):
        subjects = items(binding.obj.get("subjects"))
        role = mapping(binding.obj.get("roleRef"))
        if any(s.get("kind") == "ServiceAccount" and s.get("name") == match["account"] for s in subjects):
            found.append((text(role.get("kind")), text(role.get("name"))))
    kind, name = found[0] if len(found) == 1 else ("ServiceAccount", match["account"])
    version = "v1" if kind == "ServiceAccount" else "rbac.authorization.k8s.io/v1"
    return ObjectRef(
        api_version=version, kind=kind, name=name, namespace="" if kind == "ClusterRole" else match["namespace"]
    )


PLUGIN = saying_rule(
    "rbac",
    Saying(
        pattern=re.compile(
            r'is forbidden: User "system:serviceaccount:(?P<namespace>[a-z0-9-]+):(?P<account>[a-z0-9.-]+)" cannot (?P<verb>[a-z]+) resource '
            r'"(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
        ),
        explanation="ServiceAccount {account} may not {verb} {resource} (API group '{group}'), which container {container} does.",
        because="no role gives ServiceAccount {account} the right to {verb} {resource}",
        advice="Give ServiceAccount {account} exactly this right (verb {verb}, resource {resource}, group '{group}') by a Role and RoleBinding in its namespace",
        root=_root,
        risk=Risk.HIGH,
        weight=60,
    ),
)
