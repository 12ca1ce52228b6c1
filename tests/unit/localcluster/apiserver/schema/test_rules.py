from typing import Any

import pytest

from aegis.localcluster.apiserver.schema.rules import RuleError, check_rule, rule_faults


def faults(rule: str, value: Any, old: Any = None, **more: str) -> list[str]:
    schema = {"x-kubernetes-validations": [{"rule": rule, **more}]}
    return [f.message for f in rule_faults(schema, value, old, "spec")]


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ("self.a <= self.b", {"a": 1, "b": 2}, {"a": 3, "b": 2}),
        ("!has(self.a) || self.a.startsWith('x')", {}, {"a": "y"}),
        ("self.items.all(i, i.size() > 1)", {"items": ["ab"]}, {"items": ["a"]}),
        ("self.kind in ['a', 'b']", {"kind": "a"}, {"kind": "c"}),
        ("size(self.name) < 3 ? true : false", {"name": "ab"}, {"name": "abc"}),
        ("self.name.matches('^[a-z]+$')", {"name": "ab"}, {"name": "A"}),
    ],
)
def test_rules(rule: str, good: Any, bad: Any) -> None:
    check_rule(rule)
    assert faults(rule, good) == []
    assert faults(rule, bad, message="no") == ['Invalid value: "object": no']


def test_a_rule_that_cannot_be_evaluated_on_a_value_is_broken() -> None:
    assert "rule evaluation error" in faults("self.nope == 1", {})[0]


def test_transition_rules_need_an_old_value() -> None:
    assert faults("self.x == oldSelf.x", {"x": 1}) == []
    assert faults("self.x == oldSelf.x", {"x": 1}, {"x": 2}) != []


@pytest.mark.parametrize("rule", ["(", "isURL(self.x)", "quantity(self.x).isLessThan(quantity('1'))", "self.x.foo()"])
def test_rules_that_the_cluster_cannot_evaluate_are_refused(rule: str) -> None:
    with pytest.raises(RuleError):
        check_rule(rule)
