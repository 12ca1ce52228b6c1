from __future__ import annotations

from aegis.model.refs import ObjectRef
from aegis.model.security import SecurityComparison, SecurityFinding, Severity


def finding(rule: str, *, namespace: str = "shop", location: str = "containers[web]") -> SecurityFinding:
    return SecurityFinding(
        source="podsecurity",
        rule_id=rule,
        severity=Severity.HIGH,
        title=rule,
        description="",
        subject=ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace=namespace),
        location=location,
    )


def test_before_and_after_compare_across_namespaces() -> None:
    compared = SecurityComparison(
        before=(finding("privileged"), finding("hostPath")),
        after=(finding("hostPath", namespace="aegis-shadow-1-c"), finding("hostNetwork", namespace="aegis-shadow-1-c")),
    )
    assert [item.rule_id for item in compared.fixed] == ["privileged"]
    assert [item.rule_id for item in compared.new] == ["hostNetwork"]
    assert [item.rule_id for item in compared.same] == ["hostPath"]


def test_the_same_rule_on_another_container_is_new() -> None:
    compared = SecurityComparison(before=(finding("x"),), after=(finding("x"), finding("x", location="containers[b]")))
    assert len(compared.new) == 1


def test_counts_name_every_severity() -> None:
    counts = SecurityComparison(before=(), after=(finding("x"),)).to_dict()
    assert counts["after"] == {"CRITICAL": 0, "HIGH": 1, "MEDIUM": 0, "LOW": 0, "UNKNOWN": 0}
