"""A fix may not be worse than what it replaces."""

from aegis.model.refs import ObjectRef
from aegis.model.security import SecurityComparison, SecurityFinding, Severity
from aegis.security.policy import SecurityPolicy


def found(rule: str, severity: Severity = Severity.MEDIUM) -> SecurityFinding:
    subject = ObjectRef(api_version="v1", kind="Pod", name="web", namespace="shop")
    return SecurityFinding(source="x", rule_id=rule, severity=severity, title="", description="", subject=subject)


def test_a_fix_may_mend_and_leave_but_not_add() -> None:
    comparison = SecurityComparison(before=(found("old"), found("kept")), after=(found("kept"),))
    assert SecurityPolicy().objections(comparison) == ()
    worse = SecurityComparison(before=(found("kept"),), after=(found("kept"), found("new")))
    assert [item.rule_id for item in SecurityPolicy().objections(worse)] == ["new"]


def test_a_ceiling_holds_for_what_was_there_before_too() -> None:
    both = (found("bad", Severity.CRITICAL), found("odd", Severity.UNKNOWN), found("mild", Severity.LOW))
    comparison = SecurityComparison(before=both, after=both)
    assert SecurityPolicy().objections(comparison) == ()
    objections = SecurityPolicy(ceiling=Severity.HIGH).objections(comparison)
    assert [item.rule_id for item in objections] == ["bad", "odd"]
