"""What Falco accepts and nobody should write is said by name, and good rules are left in peace."""

from __future__ import annotations

from datetime import date

import pytest

from aegis.falco.lint import Lint, lint
from aegis.falco.problems import LintCode
from aegis.falco.rules import load

GOOD = """
- list: shells
  items: [sh, bash]
- macro: spawned
  condition: (evt.type in (execve, execveat))
- rule: shell
  desc: d
  condition: spawned and proc.name in (shells) and (fd.name = /a or fd.name = /b)
  output: "%proc.name %fd.name %proc.pname"
  priority: NOTICE
"""


def looked_at(*texts: str, today: date | None = None) -> Lint:
    files = [(f"{number}.yaml", text) for number, text in enumerate(texts)]
    return lint(load(files), files, today=today)


def codes(*texts: str) -> list[str]:
    return sorted({str(one.code) for one in looked_at(*texts).warnings})


def ruled(condition: str, *, name: str = "r", output: str = "%proc.name", more: str = "") -> str:
    return (
        f"- rule: {name}\n  desc: d\n  condition: >-\n    {condition}\n  output: '{output}'\n  priority: NOTICE\n{more}"
    )


def excepted(value: str, comp: str = '"="', field: str = "proc.name") -> str:
    one = f"    - {{name: x, fields: [{field}], comps: [{comp}], values: [[{value}]]}}\n"
    return GOOD + f"  exceptions:\n{one}"


def test_good_rules() -> None:
    assert codes(GOOD) == []
    assert looked_at(GOOD).notes == []
    assert (
        codes(
            excepted("'\"curl\"'"),
            "- rule: shell\n  condition: and not proc.name = x\n  override: {condition: append}\n",
        )
        == []
    )


@pytest.mark.parametrize(
    "check",
    [
        'proc.name contains ""', 'proc.name startswith ""', 'proc.name endswith ""', 'proc.name icontains ""',
        'fd.name pmatch ("")', "fd.name pmatch (/)", "fd.name pmatch (/a, /)", 'proc.name glob "*"', 'proc.name regex ".*"',
    ],
)  # fmt: skip
def test_what_matches_everything(check: str) -> None:
    assert codes(ruled(f"evt.type = open and not {check}")) == [LintCode.CATCH_ALL]
    assert codes(f"- macro: m\n  condition: {check}\n" + ruled("evt.type = open and not m")) == [LintCode.CATCH_ALL]


def test_what_matches_everything_in_an_exception() -> None:
    assert LintCode.CATCH_ALL in codes(excepted('"\\"\\""', comp="contains"))


@pytest.mark.parametrize(
    ("condition", "is_mixed"),
    [
        ("evt.type = a and proc.name = b or proc.name = c", True),
        ("(evt.type = a and (proc.name = b and fd.name = x or proc.name = c))", True),
        ("evt.type = a and (proc.name = b or proc.name = c)", False),
        ("evt.type = a and proc.name = ' or '", False),
        ("evt.type = a and(proc.name = b)or(proc.name = c)", True),
    ],
)
def test_and_with_or(condition: str, is_mixed: bool) -> None:
    found = looked_at(ruled(condition.replace("evt.type = a", "evt.type = open"))).warnings
    assert (LintCode.AND_OR in {one.code for one in found}) is is_mixed


def test_what_follows_an_or_is_a_note() -> None:
    found = looked_at(ruled("evt.type = open or evt.type = dup and proc.name = a"))
    assert LintCode.AND_OR in {one.code for one in found.notes}
    assert found.warnings == []


def test_a_network_is_no_address() -> None:
    found = looked_at("- list: ours\n  items: ['10.0.0.0/8']\n" + ruled("evt.type = connect and fd.sip in (ours)"))
    (one,) = found.warnings
    assert one.code == LintCode.CIDR_IN_ADDRESS
    assert "fd.snet in (10.0.0.0/8)" in one.message


@pytest.mark.parametrize(
    ("value", "comp", "said"),
    [
        ("'a,b'", '"="', "breaks"), ("'p(1)'", '"="', "breaks"), ("'k=v'", '"="', "breaks"), ("'q\"q'", '"="', "breaks"),
        ("'a,b'", "in", "commas"), ("shells", '"="', "name of a list"), ("'\"a shells b\"'", '"="', "name of a list"),
        ("'val(x)'", '"="', "transformer"), ("'tolower(x'", '"="', "transformer"),
        ('"\\"a\\ufffd\\""', '"="', "U+FFFD"), ("'\"abc[...]\"'", '"="', "cut off"), ("x" * 256, '"="', "255 bytes"),
    ],
)  # fmt: skip
def test_unsafe_values(value: str, comp: str, said: str) -> None:
    found = [one for one in looked_at(excepted(value, comp)).warnings if one.code == LintCode.UNSAFE_EXCEPTION_VALUE]
    assert len(found) == 1
    assert said in found[0].message


@pytest.mark.parametrize("value", ["curl", "'a b'", "'\"a, b\"'", "'\"shells\"'", "[a, b]", "/usr/bin/x"])
def test_safe_values(value: str) -> None:
    comp = "in" if value.startswith("[") else '"="'
    assert LintCode.UNSAFE_EXCEPTION_VALUE not in codes(excepted(value, comp))


def test_values_of_a_single_field() -> None:
    text = GOOD + "  exceptions:\n    - {name: x, fields: proc.name, comps: in, values: ['val(x)', b]}\n"
    assert LintCode.UNSAFE_EXCEPTION_VALUE in codes(text)


def test_an_exception_that_nobody_can_prove() -> None:
    assert codes(excepted("/x", field="proc.cwd")) == [LintCode.EXCEPTION_FIELD_NOT_IN_OUTPUT]
    assert codes(excepted("/x", field="fd.directory")) == []
    assert codes(excepted("ci", field="k8s.ns.name")) == []


def test_an_exception_that_is_replaced_without_comps() -> None:
    change = "- rule: shell\n  exceptions: [{name: x, fields: [proc.name], values: [[a]]}]\n  override: {exceptions: replace}\n"
    assert LintCode.EXCEPTION_WITHOUT_COMPS in codes(GOOD, change)


def test_an_exception_that_is_over() -> None:
    text = f'# aegis exception: owner="x" expires=2026-01-31 alerts=3\n{GOOD}'
    assert looked_at(text, today=date(2026, 1, 31)).warnings == []
    (one,) = looked_at(text, today=date(2026, 2, 1)).warnings
    assert (one.code, one.context.line) == (LintCode.EXCEPTION_EXPIRED, 1)


def test_a_field_that_is_tested_and_not_told() -> None:
    (one,) = looked_at(ruled("evt.type = open and proc.cwd = /x and proc.aname = y")).notes
    assert one.code == LintCode.FIELD_NOT_IN_OUTPUT
    assert "proc.aname, proc.cwd" in one.message


def test_a_rule_that_never_fires() -> None:
    never = "- macro: never\n  condition: (evt.num=0)\n"
    assert codes(never + ruled("evt.type = open and never")) == [LintCode.NEVER_FIRES]
    assert codes(ruled("evt.type = open and evt.type = dup")) == [LintCode.NEVER_FIRES]


def test_a_rule_that_another_one_shadows() -> None:
    first, second = ruled("evt.type = open"), ruled("evt.type = open and proc.name = a", name="s")
    assert codes(first + second) == [LintCode.SHADOWED]
    assert codes(second + first) == []
    assert codes(first, second + "  tags: [maturity_sandbox]\n") == []
    off = "- rule: r\n  enabled: false\n  override: {enabled: replace}\n"
    assert codes(first + second, off) == []


def test_a_rule_that_fires_where_another_one_is_excepted() -> None:
    exception = "  exceptions: [{name: x, fields: [proc.name], comps: ['='], values: [[c]]}]\n"
    first = ruled("evt.type = open and proc.pname = b", more=exception)
    assert codes(first + ruled("evt.type = open", name="s")) == [LintCode.UNMASKS]
    assert codes(first + ruled("evt.type = dup", name="s")) == []


def test_a_rule_that_is_defined_twice() -> None:
    assert codes(ruled("evt.type = open") + ruled("evt.type = dup")) == [LintCode.REDEFINED]
    assert codes(ruled("evt.type = open"), ruled("evt.type = dup")) == []


def test_a_list_that_is_misspelt() -> None:
    text = "- list: known_servers\n  items: [a]\n" + ruled("evt.type = open and proc.name in (known_server)")
    assert LintCode.UNKNOWN_LIST in codes(text)
    assert LintCode.UNKNOWN_LIST not in codes(text.replace("known_server)", "known_servers)"))


@pytest.mark.parametrize(
    "text",
    ["", "- a: [", "a: b", "- 1", "- rule: [", "- rule: x\n  exceptions: 1\n  override: {exceptions: replace}\n"],
)
def test_files_that_do_not_load(text: str) -> None:
    assert looked_at(text).warnings == []


def test_the_seeds_kill_switch() -> None:
    text = ruled('evt.type = execve and proc.cmdline contains "kill-switch" or proc.cmdline contains "emergency-halt"')
    assert codes(text) == [LintCode.AND_OR]
