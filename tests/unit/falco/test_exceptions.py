"""Every exception that is written silences what it was made for and nothing else, or is refused with the reason."""

from __future__ import annotations

import functools
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.falco.alert import Alert, parse_alert
from aegis.falco.evaluate import compiled
from aegis.falco.exceptions import FORMS, Form, Proposal, propose
from aegis.falco.rules import load
from aegis.falco.scoping import why_unsafe
from aegis.falco.tree import Not

RULES = """
- list: shells
  items: [sh, bash]
- list: ci
  items: [one, two]
- macro: never
  condition: (evt.num=0)
- macro: user_known_shell
  condition: (never)
- macro: user_known_everywhere
  condition: (never)
- macro: known
  condition: (user_known_shell)
- rule: shell
  desc: d
  condition: evt.type = execve and not known and not user_known_everywhere
  output: "%proc.name"
  priority: NOTICE
- rule: either
  desc: d
  condition: evt.type = execve or evt.type = clone
  output: "%proc.name"
  priority: NOTICE
- rule: other
  desc: d
  condition: evt.type = execve and proc.name in (shells) and k8s.ns.name in (ci) and not user_known_everywhere
  output: "%proc.name"
  priority: NOTICE
"""
FILES = [("rules.yaml", RULES)]
TOLD = {
    "evt.type": "execve",
    "k8s.ns.name": "ci",
    "container.image.repository": "registry.local/ci/runner",
    "proc.exepath": "/usr/bin/bash",
    "proc.name": "bash",
    "proc.pname": "runc",
    "proc.cmdline": "bash -c true",
}


def alert(rule: str = "shell", **changes: Any) -> Alert:
    fields = {**TOLD, **{name.replace("__", "."): value for name, value in changes.items()}}
    document = {"rule": rule, "output": "o", "priority": "Notice", "output_fields": fields}
    found = parse_alert(json.dumps(document))
    assert found is not None
    return found


def made(history: list[Alert], chosen: list[int], *, form: Form = "exception", **more: Any) -> Proposal:
    return propose(more.pop("rule", "shell"), history, chosen, files=FILES, form=form, **more)


@pytest.mark.parametrize("form", FORMS)
def test_each_form(form: Form) -> None:
    history = [
        alert(),
        alert(k8s__ns__name="shop"),
        alert(proc__exepath="/bin/cat"),
        alert(container__image__repository="x"),
    ]
    found = made(history, [0], form=form, owner="platform\nteam", expires=date(2027, 1, 31))
    assert found.refused == ""
    assert found.scope is not None
    assert found.scope.fields == ("k8s.ns.name", "container.image.repository", "proc.exepath")
    assert found.proof is not None
    assert (found.proof.suppressed, found.proof.kept) == ((0,), (1, 2, 3))
    assert found.text.startswith('# aegis exception: owner="platform team" expires=2027-01-31 alerts=1\n')
    (item,) = yaml.safe_load(found.text)
    assert set(item) & {"exceptions", "condition"}
    assert "replace" not in item["override"].values()
    for one in item.get("exceptions", ()):
        assert len(one["fields"]) == len(one["comps"]) == len(one["values"][0])


def test_the_macro_is_one_that_no_other_rule_has() -> None:
    found = made([alert()], [0], form="macro")
    assert found.scope is not None
    assert found.scope.name == "user_known_shell"
    assert "no user_known_" in made([alert("other", proc__name="sh")], [0], form="macro", rule="other").refused


def test_nothing_is_appended_to_an_or() -> None:
    history = [alert("either")]
    assert "an `or`" in made(history, [0], form="condition", rule="either").refused
    assert made(history, [0], rule="either").refused == ""


def test_it_is_narrowed_until_the_others_stay() -> None:
    history = [alert(), alert(proc__pname="sshd"), alert(proc__cmdline="bash -c true", proc__pname="cron")]
    found = made(history, [0])
    assert found.scope is not None
    assert found.scope.fields[3:] == ("proc.pname",)
    assert found.proof is not None
    assert found.proof.suppressed == (0,)


def test_what_cannot_be_told_apart_is_one_activity() -> None:
    found = made([alert(container__id=one, proc__tty=tty) for one, tty in (("a", 0), ("b", 0), ("a", 34816))], [0])
    assert found.proof is not None
    assert found.proof.suppressed == (0, 1)
    assert "1 more alerts are of the same activity" in found.notes[0]


def test_any_field_that_lasts_tells_apart() -> None:
    found = made([alert(group__gid=0, proc__tty=0), alert(group__gid=7, proc__tty=0)], [0])
    assert found.scope is not None
    assert found.scope.fields[3:] == ("group.gid",)


def test_a_field_may_be_asked_for() -> None:
    found = made([alert()], [0], fields=["proc.cmdline"])
    assert found.scope is not None
    assert found.scope.fields[-1] == "proc.cmdline"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"k8s__ns__name": None}, "does not tell k8s.ns.name"),
        ({"container__image__repository": None}, "does not tell container.image.repository"),
        ({"proc__exepath": None, "proc__name": None}, "does not tell proc.exepath"),
        ({"proc__exepath": "/x\N{REPLACEMENT CHARACTER}"}, "U+FFFD"),
        ({"proc__exepath": "/" + "x" * 255}, "longer than 255 bytes"),
        ({"proc__exepath": "/" + "é" * 130}, "longer than 255 bytes"),
        ({"proc__exepath": "/" + "x" * 506 + "[...]"}, "cut off"),
        ({"proc__exepath": "/x\ny"}, "line break"),
        ({"proc__exepath": "/x\x1b[2J"}, "control character"),
        ({"proc__exepath": "<NA>"}, "tells no value"),
        ({"proc__exepath": ""}, "empty"),
        ({"proc__exepath": "/opt/a shells b"}, "name of a list"),
    ],
)
def test_what_is_not_safe_is_refused(changes: dict[str, Any], reason: str) -> None:
    for form in FORMS:
        found = made([alert(**changes)], [0], form=form)
        assert reason in found.refused
        assert found.text == ""


def test_another_program_identity_where_the_first_is_not_told() -> None:
    found = made([alert(proc__exepath=None)], [0])
    assert found.scope is not None
    assert found.scope.fields[2] == "proc.name"


@pytest.mark.parametrize("reason", ["no rule", "was chosen", "do not load", "already", "too many"])
def test_what_makes_no_sense_is_refused(reason: str) -> None:
    history = [alert()]
    found = {
        "no rule": lambda: made(history, [0], rule="nobody"),
        "was chosen": lambda: made(history, []),
        "do not load": lambda: propose("shell", history, [0], files=[("x", "- rule: [")]),
        "already": lambda: propose("shell", history, [0], files=[*FILES, ("x", made(history, [0]).text)]),
        "too many": lambda: made([alert(proc__exepath=f"/{n}") for n in range(100)], list(range(100))),
    }[reason]()
    assert reason in found.refused


def test_without_rule_files() -> None:
    found = propose('a "rule": [x]', [alert('a "rule": [x]'), alert("other")], [0])
    assert found.refused == ""
    assert found.notes
    assert found.proof is not None
    assert (found.proof.suppressed, found.proof.kept, found.proof.unmasked) == ((0,), (1,), ())
    assert "needs the rule files" in propose("shell", [alert()], [0], form="macro").refused


PIECES = st.sampled_from([
    *"ab/, ()=\"'\\\n\t%é{}[]#:&*!|>-",
    *("shells", "ci", "val(", "tolower(", "\N{REPLACEMENT CHARACTER}", " and ", "[...]", "\u2028", "\ufeff"),
])
WHOLE = [
    *("x" * 4096, "shells", "ci", "val(proc.name)", "tolower(a)", "(a, b)", "a,b", 'q"q', "k=v", "p(1)", "\\", "a\\"),
    *("\\\\", "' or 1=1", "true", "null", "~", "0x1", "1", "- x"),
]
HOSTILE = st.lists(PIECES, min_size=1, max_size=6).map("".join) | st.sampled_from(WHOLE)
CHANGED = ("k8s.ns.name", "container.image.repository", "proc.exepath")


@settings(max_examples=80, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(CHANGED, HOSTILE)), st.sampled_from(FORMS), st.data())
def test_hostile_values(values: dict[str, str], form: Form, data: st.DataObject) -> None:
    chosen = alert(**{name.replace(".", "__"): value for name, value in values.items()})
    name = data.draw(st.sampled_from(CHANGED))
    other = data.draw(HOSTILE.filter(lambda text: text != values[name]))
    stays = {**chosen.fields, name: other}
    found = propose("shell", [chosen], [0], files=FILES, form=form)
    if found.refused:
        assert found.text == ""
        return
    assert not any(map(why_unsafe, values.values()))
    after = load([*FILES, ("x.yaml", found.text)])
    assert after.successful, after.errors
    check = {one.rule.name: compiled(one.condition) for one in after.rules}
    assert not check["shell"](chosen.fields)
    assert check["shell"](stays)
    assert check["either"](chosen.fields)


@functools.cache
def real_history() -> list[Alert]:
    lines = (Path(__file__).parent / "alerts.jsonl").read_text(encoding="utf-8").splitlines()
    return [found for line in lines if (found := parse_alert(line)) is not None]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 38), st.sampled_from(FORMS))
def test_any_real_alert(number: int, form: Form) -> None:
    history = real_history()
    rule = history[number].rule
    own = "- macro: user_known_real\n  condition: (never)\n- macro: user_known_shell"
    text = RULES.replace("- macro: user_known_shell", own)
    text += f"- rule: {json.dumps(rule)}\n  desc: d\n  condition: evt.type exists and not user_known_real\n"
    text += '  output: "x"\n  priority: NOTICE\n'
    files = [("rules.yaml", text)]
    found = propose(rule, history, [number], files=files, form=form)
    if history[number].fields["k8s.ns.name"] is None:
        assert "does not tell k8s.ns.name" in found.refused
        return
    assert found.refused == ""
    assert found.proof is not None
    assert found.proof.suppressed == (number,)
    assert isinstance(load([*files, ("x.yaml", found.text)]).rules[-1].condition, type(load(files).rules[-1].condition))
    assert found.scope is not None
    assert compiled(Not(found.scope.condition))(history[number].fields) is False
