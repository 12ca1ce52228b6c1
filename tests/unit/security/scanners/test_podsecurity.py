"""The scanner: what it looks at, how bad it finds it, and what stays the same from arm to arm."""

from typing import Any

import pytest

from aegis.model.security import SecurityComparison, Severity
from aegis.plugins import members
from aegis.ports import Scanner
from aegis.security.scanners.podsecurity import PLUGIN, look

Json = dict[str, Any]


def bearer(kind: str, namespace: str = "shop", **context: Any) -> Json:
    spec: Json = {"containers": [{"name": "web", "securityContext": context}]}
    template = {"spec": spec}
    body: Json = {"Pod": {"spec": spec}, "CronJob": {"spec": {"jobTemplate": {"spec": {"template": template}}}}}.get(
        kind, {"spec": {"template": template}}
    )
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "web", "namespace": namespace}, **body}


def rules(*objects: Json) -> set[str]:
    return {finding.rule_id for finding in look(objects).findings}


def test_it_is_a_scanner() -> None:
    assert all(hasattr(PLUGIN, name) for name in members(Scanner))


@pytest.mark.parametrize("kind", ["Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"])
def test_every_kind_that_bears_a_pod_is_looked_at(kind: str) -> None:
    assert "pss-baseline-privileged" in rules(bearer(kind, privileged=True))


def test_lists_are_opened_and_others_passed_over() -> None:
    both = {"kind": "List", "items": [bearer("Pod", privileged=True), {"kind": "List", "items": [bearer("Job")]}]}
    result = look([both, {"kind": "Service", "metadata": {"name": "web"}, "spec": {}}])
    assert [name.split("/")[0] for name in result.coverage.scanned] == ["Pod", "Job"]


def test_the_same_fault_is_the_same_in_another_namespace() -> None:
    here, there = (look([bearer("Pod", namespace)]).findings for namespace in ("shop", "aegis-shadow-1-c"))
    comparison = SecurityComparison(before=here, after=there)
    assert comparison.new == comparison.fixed == ()
    assert len(comparison.same) == len(here) > 0


def test_severities() -> None:
    found = look([bearer("Pod", privileged=True, procMount="Unmasked")]).findings
    by_rule = {finding.rule_id: finding.severity for finding in found}
    assert by_rule["pss-baseline-privileged"] is Severity.CRITICAL
    assert by_rule["pss-baseline-proc-mount"] is Severity.HIGH
    assert by_rule["pss-restricted-privilege-escalation"] is Severity.MEDIUM
