"""The layout of a rule file changes; what Falco reads of it, and every comment, does not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.falco.layout import LayoutError, laid_out
from aegis.falco.rules import load
from aegis.falco.source import SourceError, documents
from aegis.falco.tree import text as printed

MESSY = """\
# A licence.


#   Indented words.
-  list:   shells
   items: [sh,bash , "zsh"]
- macro: spawned
  condition:   evt.type   in (execve,execveat)
      and  proc.name in ( shells )

# About the rule.

# More about it.
- priority: WARNING
  tags: [a, 'b c']
  rule: "Terminal shell"
  output: >
    A shell (user=%user.name
    process=%proc.name)
  desc: A shell.
  enabled: false
  condition: >
    spawned and proc.cmdline contains "a  b" and not proc.pname = 'c, d' and not (container.image.repository startswith "registry.local/very/long" or proc.exepath = /usr/bin/something)
  exceptions:
  - {name: x, fields: [proc.name, fd.name], comps: ["=", in], values: [[sh, [/a, /b]]]}
- rule: kept
  desc: d  # why
  condition: evt.type = open
  output: "x"
  priority: NOTICE
- rule: Terminal shell
  condition: and not proc.name = "x"
  override: {condition: append}
# The end.
"""
NEAT = """\
# A licence.

#   Indented words.
- list: shells
  items: [sh, bash, zsh]

- macro: spawned
  condition: >-
    evt.type in (execve, execveat) and proc.name in (shells)

# About the rule.

# More about it.
- rule: Terminal shell
  desc: A shell.
  condition: >-
    spawned
    and proc.cmdline contains "a  b"
    and not proc.pname = 'c, d'
    and not (container.image.repository startswith "registry.local/very/long" or proc.exepath =
    /usr/bin/something)
  output: >-
    A shell (user=%user.name process=%proc.name)
  priority: WARNING
  enabled: false
  tags: [a, b c]
  exceptions:
    - name: x
      fields: [proc.name, fd.name]
      comps: ["=", in]
      values:
        - [sh, [/a, /b]]

- rule: kept
  desc: d  # why
  condition: evt.type = open
  output: "x"
  priority: NOTICE

- rule: Terminal shell
  condition: >-
    and not proc.name = "x"
  override:
    condition: append

# The end.
"""


def meaning(text: str) -> list[Any]:
    found = load([("x", text)])
    return [
        [str(one.code) for one in found.errors],
        [(one.rule.name, printed(one.condition), one.rule.output, one.rule.tags) for one in found.rules],
    ]


def test_a_messy_file() -> None:
    found = laid_out(MESSY)
    assert found.text == NEAT
    assert [(kept.line, kept.reason) for kept in found.kept] == [(26, "a comment stands in it")]
    assert meaning(found.text) == meaning(MESSY)


def test_once_is_enough() -> None:
    assert laid_out(NEAT).text == NEAT


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\n\n# a\n\n\n# b\n"])
def test_nothing_in_it(text: str) -> None:
    found = laid_out(text).text
    assert documents(found) == documents(text) or found.strip() == ""
    assert [line for line in found.splitlines() if line] == [line for line in text.splitlines() if line]


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("- &a {list: x, items: []}", "anchor"),
        ("- list: x\n  items: !!seq []", "anchor"),
        ("- list: x\n  list: y\n  items: []", "twice"),
        ("- list: x\n  items:\n    # why\n    - a", "comment"),
        ("- macro: x\n  condition: > # why\n    a", "comment"),
        ("- list: x\n  items: [a]\n  # why", "comment"),
    ],
)
def test_what_cannot_be_kept_otherwise_stays_as_it_is_written(item: str, reason: str) -> None:
    found = laid_out(f"- list:   z\n  items: []\n{item}\n")
    assert found.text == f"- list: z\n  items: []\n\n{item}\n"
    assert reason in found.kept[0].reason


@pytest.mark.parametrize(
    "text",
    ["- a: [", "a: b", "--- \n- list: x\n", "[{list: x, items: []}]", "- list: x\n  items: []\n---\n- list: y\n  items: []\n", "-\n  list: x\n  items: []\n", "  - list: x\n    items: []\n", "\tx"],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(LayoutError):
        laid_out(text)


def test_a_string_that_a_backslash_keeps_open() -> None:
    text = '- macro: x\n  condition: proc.name = "a\\\\"   b" and  proc.pname = c\n'
    assert 'a\\\\"   b" and proc.pname = c' in laid_out(text).text


WORDS = st.sampled_from(["a", "b c", "/etc/*", "1", "yes", "null", "~", "", "#x", "a: b", "é", "- x", '"q"', "'", "a\\", "x" * 90, "0.1.0", " pad "])  # fmt: skip
CONDITIONS = st.lists(
    st.sampled_from(["proc.name = a", 'fd.name = "x  y"', "not (proc.name in (a,b))", "evt.type=open", "spawned"]),
    min_size=1,
    max_size=8,
).map(" and  ".join)
FLAT = st.lists(WORDS, max_size=12)
RULE = st.fixed_dictionaries(
    {
        "rule": WORDS.filter(bool),
        "condition": CONDITIONS,
        "output": WORDS | st.text(max_size=300),
        "desc": WORDS | st.text(max_size=300),
        "priority": st.sampled_from(["NOTICE", "notice"]),
    },
    optional={
        "tags": FLAT,
        "enabled": st.booleans(),
        "exceptions": st.lists(
            st.fixed_dictionaries({
                "name": WORDS,
                "fields": FLAT,
                "comps": FLAT,
                "values": st.lists(FLAT | WORDS, max_size=3),
            }),
            max_size=2,
        ),
        "override": st.dictionaries(st.sampled_from(["condition", "tags"]), st.just("append")),
        "unknown key": WORDS,
    },
)
LIST = st.fixed_dictionaries({"list": WORDS, "items": FLAT})
MACRO = st.fixed_dictionaries({"macro": WORDS, "condition": CONDITIONS | st.text(max_size=40)})


@settings(max_examples=60, deadline=None)
@given(st.lists(RULE | LIST | MACRO, max_size=4), st.sampled_from([None, False]), st.sampled_from([30, 80, 1000]))
def test_what_is_read_stays_the_same(items: list[dict[str, Any]], flow: bool | None, width: int) -> None:
    text = str(yaml.safe_dump(items, default_flow_style=flow, width=width, allow_unicode=True, sort_keys=False))
    if not items:
        return
    found = laid_out(text).text
    assert meaning(found) == meaning(text)
    assert laid_out(found).text == found
    for now, then in zip(yaml.safe_load(found) or [], items, strict=True):
        assert {key: str(value).split() for key, value in now.items() if key in {"rule", "desc"}} == {
            key: str(value).split() for key, value in then.items() if key in {"rule", "desc"}
        }


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("- lisrutem:\n #[]{}\"'\\>|&*!,ab\t"), max_size=80))
def test_no_text_is_too_odd(text: str) -> None:
    try:
        found = laid_out(text).text
    except LayoutError:
        return
    try:
        assert [type(one) for one in documents(found)] == [type(one) for one in documents(text)] or not text.strip()
    except SourceError as error:  # pragma: no cover - would be a defect
        raise AssertionError(found) from error


@pytest.mark.skipif("FALCO_RULES" not in os.environ, reason="FALCO_RULES names no folder of Falco's default rules")
def test_the_default_rules() -> None:
    for path in sorted(Path(os.environ["FALCO_RULES"]).glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        found = laid_out(text).text
        assert meaning(found) == meaning(text)
        assert laid_out(found).text == found
