"""What rules would have made of alerts: silent, told, or nobody can say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.falco.alert import Alert, parse_alert
from aegis.falco.evaluate import compiled
from aegis.falco.replay import Replay, append_output, replay
from aegis.falco.rules import Ruleset, load
from aegis.falco.tree import Not, conjuncts

SHELL = """
- macro: never
  condition: (evt.num=0)
- macro: user_known
  condition: (never)
- rule: shell
  desc: d
  condition: evt.type = execve and proc.name in (sh, bash) and not proc.pexepath = /bin/login and not user_known
  output: "%proc.name %k8s.ns.name"
  priority: NOTICE
- rule: bash
  desc: d
  condition: evt.type = execve and proc.name = bash and not proc.exepath = /opt/x
  output: "%proc.name"
  priority: NOTICE
"""


def rules(*texts: str) -> Ruleset:
    found = load((f"{number}.yaml", text) for number, text in enumerate(texts))
    assert found.successful, found.errors
    return found


def alert(rule: str = "shell", **fields: Any) -> Alert:
    document = {"rule": rule, "output": "o", "priority": "Notice", "hostname": "n", "output_fields": fields}
    found = parse_alert(json.dumps(document))
    assert found is not None
    return found


def fields(name: str, namespace: str | None = "ci", **more: Any) -> dict[str, Any]:
    return {"evt.type": "execve", "proc.name": name, "k8s.ns.name": namespace, **more}


def appended(condition: str) -> str:
    return f"- rule: shell\n  condition: and not ({condition})\n  override: {{condition: append}}\n"


ALERTS = [
    alert(**fields("sh")),
    alert(**fields("bash")),
    alert(**fields("bash", "shop")),
    alert(**fields("bash", None)),
]


def outcome(found: Replay) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    assert sorted((*found.suppressed, *found.kept, *found.unknown)) == list(range(found.alerts))
    return found.suppressed, found.kept, found.unknown


def test_a_baseline_makes_it_precise() -> None:
    now = rules(SHELL, appended("k8s.ns.name = ci and proc.name = bash"))
    assert outcome(replay(now, ALERTS, baseline=rules(SHELL))) == ((1,), (0, 2, 3), ())
    found = replay(now, ALERTS)
    assert outcome(found) == ((1,), (), (0, 2, 3))
    assert found.missing_fields == ["proc.pexepath"]


@pytest.mark.parametrize(
    "change",
    [
        appended("k8s.ns.name = ci and proc.name = bash"),
        (
            "- rule: shell\n  exceptions: [{name: x, fields: [k8s.ns.name, proc.name], comps: ['=', '='],"
            " values: [[ci, bash]]}]\n  override: {exceptions: append}\n"
        ),
        (
            "- macro: user_known\n  condition: or (k8s.ns.name = ci and proc.name = bash)\n"
            "  override: {condition: append}\n"
        ),
        "- macro: user_known\n  condition: (k8s.ns.name = ci and proc.name = bash)\n",
    ],
)
def test_every_form_of_an_exception(change: str) -> None:
    found = replay(rules(SHELL, change), ALERTS, baseline=rules(SHELL))
    assert outcome(found) == ((1,), (0, 2, 3), ())


def test_what_is_not_told_is_unknown_and_named() -> None:
    now = rules(SHELL, appended("proc.name = bash and proc.cwd = /x"))
    found = replay(now, ALERTS, baseline=rules(SHELL))
    assert outcome(found) == ((), (0,), (1, 2, 3))
    assert (found.missing_fields, found.missing) == (["proc.cwd"], {"shell": {"proc.cwd": 3}})
    assert yaml.safe_load(append_output(found)) == {
        "append_output": [{"match": {"rule": "shell"}, "extra_fields": ["proc.cwd"]}]
    }


def test_a_null_field_is_told_to_have_no_value() -> None:
    now = rules(SHELL, appended("not k8s.ns.name exists"))
    assert outcome(replay(now, ALERTS, baseline=rules(SHELL))) == ((3,), (0, 1, 2), ())


def test_every_ancestor_is_asked_for() -> None:
    found = replay(rules(SHELL, appended("proc.aname = cron")), ALERTS[:1], baseline=rules(SHELL))
    assert "proc.aname[1]" in append_output(found)
    assert "proc.aname\n" not in append_output(found)


def test_another_rule_fires_instead() -> None:
    now = rules(SHELL, appended("k8s.ns.name = ci"))
    history = [*ALERTS, alert(**fields("bash", proc_exepath=0) | {"proc.exepath": "/bin/bash"})]
    found = replay(now, history, baseline=rules(SHELL))
    assert found.suppressed == (0, 1, 4)
    assert [(one.rule, one.by, one.certain, one.possible) for one in found.unmasked] == [("shell", "bash", (4,), (1,))]
    assert (found.unmasked_alerts, found.perhaps_unmasked) == ((4,), (1,))
    assert replay(now, history, baseline=rules(SHELL), matching="all").unmasked == ()


def test_of_several_the_first_fires() -> None:
    third = SHELL[SHELL.index("- rule: bash") :].replace("rule: bash", "rule: third")
    now = rules(SHELL, third, appended("proc.name = bash"))
    told = [alert(**fields("bash") | {"proc.exepath": "/bin/bash"})]
    assert [one.by for one in replay(now, told, baseline=rules(SHELL, third)).unmasked] == ["bash"]


def test_a_rule_before_it_never_fires_instead() -> None:
    now = rules(SHELL, "- rule: bash\n  enabled: false\n  override: {enabled: replace}\n")
    found = replay(now, [alert("bash", **fields("bash"))], baseline=rules(SHELL))
    assert (found.suppressed, found.unmasked) == ((0,), ())


def test_a_rule_that_is_gone_or_was_never_there() -> None:
    only = SHELL[: SHELL.index("- rule: bash")]
    history = [alert("bash", **fields("bash")), alert("other")]
    found = replay(rules(only), history, baseline=rules(SHELL))
    assert (outcome(found), found.without_rule) == (((0,), (), (1,)), (1,))
    assert replay(rules(only), history).without_rule == (0, 1)


def test_what_the_fields_contradict_is_not_assumed() -> None:
    history = [alert(**fields("zsh"))]
    assert replay(rules(SHELL), history).suppressed == (0,)
    assert replay(rules(SHELL), history, baseline=rules(SHELL)).kept == (0,)
    assert replay(rules(SHELL), history, baseline=rules(SHELL), is_certain=False).suppressed == (0,)


def test_what_was_altered_is_told() -> None:
    now = rules(SHELL, appended("proc.name contains x"))
    found = replay(now, [alert(**fields("sh") | {"proc.name": "x" * 507 + "[...]"})], baseline=rules(SHELL))
    assert (found.unknown, found.altered, append_output(found)) == ((0,), {"proc.name": 1}, "")


def test_text_names_no_rule() -> None:
    line = parse_alert("10:00:00.000000000: Notice A shell (user=root process=sh)")
    assert line is not None
    assert replay(rules(SHELL), [line]).without_rule == (0,)


VALUES = st.fixed_dictionaries(
    {"proc.name": st.sampled_from(["a", "b"])},
    optional={name: st.sampled_from(["a", "b", None]) for name in ("proc.pname", "k8s.ns.name", "fd.name")},
)


@settings(max_examples=80, deadline=None)
@given(st.lists(VALUES, max_size=8), st.sampled_from(["proc.pname", "k8s.ns.name", "fd.name"]), st.booleans())
def test_a_decision_holds_whatever_the_fields_that_are_not_told(
    events: list[dict[str, Any]], name: str, with_baseline: bool
) -> None:
    whole = {"proc.pname": "b", "k8s.ns.name": "a", "fd.name": "a"}
    base = SHELL.replace("proc.name in (sh, bash)", "proc.name in (a, b)").replace("evt.type = execve and ", "")
    now = rules(base, appended(f"{name} = a and proc.name = a"))
    baseline = rules(base) if with_baseline else None
    found = replay(now, [alert(**one) for one in events], baseline=baseline)
    check = compiled(now.rules[0].condition)
    for number in (*found.suppressed, *found.kept):
        assert bool(check({**whole, **events[number]})) is (number in found.kept)


def test_real_alerts() -> None:
    """Each rule of the history, as far as its alerts tell it, holds for them."""
    lines = (Path(__file__).parent / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    history = [found for line in lines if (found := parse_alert(line)) is not None]
    text = "".join(
        f"- rule: {json.dumps(rule)}\n  desc: d\n  condition: evt.type exists and container.id exists\n"
        '  output: "x"\n  priority: NOTICE\n'
        for rule in sorted({one.rule for one in history})
    )
    assert len(replay(rules(text), history).kept) == len(history)
    assert not any(isinstance(one, Not) for one in conjuncts(rules(text).rules[0].condition))
