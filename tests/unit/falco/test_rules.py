"""Rule files load as Falco loads them: the same verdicts, codes and compiled conditions."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.falco.rules import Ruleset, load, with_list
from aegis.falco.tree import text

RULE = """
- rule: shell
  desc: a shell
  condition: evt.type = execve and spawned
  output: "%proc.name by %proc.aname[2]"
  priority: WARNING
"""
SPAWNED = "- macro: spawned\n  condition: proc.name in (shells)\n"
SHELLS = "- list: shells\n  items: [sh, bash]\n"
WHOLE = SHELLS + SPAWNED + RULE


def loaded(*texts: str) -> Ruleset:
    return load((f"{number}.yaml", one) for number, one in enumerate(texts))


def condition(*texts: str, rule: str = "shell") -> str:
    ruleset = loaded(*texts)
    assert ruleset.successful, ruleset.errors
    return next(text(one.condition) for one in ruleset.rules if one.rule.name == rule)


def refused(*texts: str) -> tuple[str, str]:
    (error,) = loaded(*texts).errors
    return str(error.code), error.message


def codes(*texts: str) -> list[str]:
    return sorted(str(warning.code) for warning in loaded(*texts).warnings)


def with_exception(exception: str) -> str:
    return WHOLE + "  exceptions:\n" + "\n".join(f"    {line}" for line in exception.strip().splitlines()) + "\n"


def test_lists_and_macros_are_put_in() -> None:
    assert condition(WHOLE) == "(evt.type = execve and proc.name in (sh, bash))"
    assert codes(WHOLE) == []


def test_files_pile_up_in_order() -> None:
    more = "- list: shells\n  items: [zsh]\n  override: {items: append}\n"
    assert condition(WHOLE, more) == "(evt.type = execve and proc.name in (sh, bash, zsh))"
    changed = "- macro: spawned\n  condition: or proc.name = fish\n  override: {condition: append}\n"
    assert condition(WHOLE, changed) == "(evt.type = execve and (proc.name in (sh, bash) or proc.name = fish))"
    again = "- rule: shell\n  condition: and user.uid = 0\n  priority: CRITICAL\n  override: {condition: append, priority: replace}\n"
    ruleset = loaded(WHOLE, again)
    assert text(ruleset.rules[0].condition).endswith("and user.uid = 0)")
    assert ruleset.rules[0].rule.priority.word == "Critical"


def test_a_file_that_is_refused_changes_nothing() -> None:
    ruleset = loaded(WHOLE, "- macro: spawned\n  condition: proc.name = (\n")
    assert not ruleset.successful
    assert ruleset.errors[0].context.file == "1.yaml"
    assert text(ruleset.rules[0].condition) == "(evt.type = execve and proc.name in (sh, bash))"


@pytest.mark.parametrize(
    ("exception", "put"),
    [
        (
            "- {name: a, fields: [proc.pname, fd.name], values: [[sshd, /etc/x]]}",
            "not (proc.pname = sshd and fd.name = /etc/x)",
        ),
        ("- {name: a, fields: proc.pname, values: [sshd, cron]}", "not proc.pname in (sshd, cron)"),
        (
            "- {name: a, fields: [proc.pname], comps: [startswith], values: [['my sh']]}",
            'not proc.pname startswith "my sh"',
        ),
        ("- {name: a, fields: [proc.pname], comps: [in], values: [[[a, b]]]}", "not proc.pname in (a, b)"),
        ("- {name: a, fields: [proc.pname], comps: [= anyof], values: [[[a, b]]]}", "not proc.pname = anyof (a, b)"),
    ],
)
def test_exceptions_are_put_in(exception: str, put: str) -> None:
    assert condition(with_exception(exception)) == f"((evt.type = execve and proc.name in (sh, bash)) and {put})"


@pytest.mark.parametrize(
    ("source", "code", "why"),
    [
        ("a: b", "LOAD_ERR_YAML_VALIDATE", "not yaml array"),
        ("- [", "LOAD_ERR_YAML_PARSE", "yaml"),
        ("- rule: x\n  desc: d\n  condition: evt.type=open\n  output: o\n", "LOAD_ERR_YAML_VALIDATE", "priority"),
        (RULE, "LOAD_ERR_VALIDATE", "Undefined macro 'spawned'"),
        (
            RULE + "- macro: spawned\n  condition: proc.name = (a\n",
            "LOAD_ERR_COMPILE_CONDITION",
            "expected a string value",
        ),
        (WHOLE.replace("execve", "exekve"), "LOAD_ERR_COMPILE_CONDITION", "unknown event type exekve"),
        (WHOLE.replace("%proc.name", "%proc.nome"), "LOAD_ERR_COMPILE_OUTPUT", "proc.nome"),
        (WHOLE.replace("proc.name in", "proc.nome in"), "LOAD_ERR_COMPILE_CONDITION", "nonexistent field proc.nome"),
        ("- required_engine_version: 0.99.0", "LOAD_ERR_VALIDATE", "Rules require engine version 0.99.0"),
        ("- required_engine_version: 99", "LOAD_ERR_VALIDATE", "Rules require engine version 0.99.0"),
        ("- list: a\n  items: [b]\n  override: {items: append}", "LOAD_ERR_VALIDATE", "no list by that name"),
        ("- rule: a\n  condition: b\n  override: {condition: replace}", "LOAD_ERR_VALIDATE", "no rule by that name"),
        ("- rule: a\n  condition: b\n  override: {source: replace}", "LOAD_ERR_YAML_VALIDATE", "cannot be replaced"),
        (with_exception("- {name: a, values: [[b]]}"), "LOAD_ERR_YAML_VALIDATE", "'fields'"),
        (
            with_exception("- {name: a, fields: [proc.pname, fd.name], values: [[b]]}"),
            "LOAD_ERR_VALIDATE",
            "equal length",
        ),
        (
            with_exception("- {name: a, fields: [nope.x], values: [[b]]}"),
            "LOAD_ERR_VALIDATE",
            "not a supported filter field",
        ),
        (
            with_exception("- {name: a, fields: [proc.pname], values: [['a,b']]}"),
            "LOAD_ERR_COMPILE_CONDITION",
            "expected a ')' token",
        ),
        (
            with_exception("- {name: a, fields: [proc.pname], values: [['q\"q']]}"),
            "LOAD_ERR_COMPILE_CONDITION",
            "expected a ')' token",
        ),
        ("- macro: a\n  condition: b\n- macro: b\n  condition: a\n", "LOAD_ERR_VALIDATE", "Undefined macro"),
    ],
)
def test_what_is_refused(source: str, code: str, why: str) -> None:
    found, message = refused(source)
    assert found == code
    assert why in message


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (SHELLS, ["LOAD_UNUSED_LIST"]),
        (SHELLS + SPAWNED, ["LOAD_UNUSED_MACRO"]),
        (WHOLE.replace("evt.type = execve and ", ""), ["LOAD_NO_EVTTYPE"]),
        (WHOLE.replace("evt.type = execve and ", "") + "  warn_evttypes: false\n", []),
        (WHOLE + "  color: red\n", ["LOAD_UNKNOWN_KEY"]),
        ("- color: red\n", ["LOAD_UNKNOWN_ITEM"]),
        (WHOLE.replace("proc.name in", "proc.nome in") + "  skip-if-unknown-filter: true\n", ["LOAD_UNKNOWN_FILTER"]),
        (WHOLE + "- rule: shell\n  append: true\n  condition: and user.uid=0\n", ["LOAD_DEPRECATED_ITEM"]),
        (WHOLE + "  source: k8s_audit\n", ["LOAD_UNKNOWN_SOURCE", "LOAD_UNUSED_MACRO"]),
        (WHOLE.replace("(shells)", "(shells, proc.pname)"), ["LOAD_COMPILE_CONDITION"]),
    ],
)
def test_what_is_warned_of(source: str, expected: list[str]) -> None:
    assert codes(source) == expected


def test_a_macro_that_names_itself_is_refused() -> None:
    assert (
        refused(WHOLE + "- macro: spawned\n  condition: or spawned\n  override: {condition: append}\n")[0]
        == "LOAD_ERR_VALIDATE"
    )


def test_an_empty_list_takes_its_comma_with_it() -> None:
    assert with_list("a in (x, none)", "none", []) == ("a in (x  )", True)
    assert with_list("a in (none, x)", "none", []) == ("a in (   x)", True)
    assert with_list("a = nonesuch", "none", ["b"]) == ("a = nonesuch", False)


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from([
            "- ",
            "rule: a\n",
            "  ",
            "list: b\n",
            "items: [",
            "]\n",
            "condition: ",
            "x",
            "{",
            "&a ",
            "*a",
            "\n",
        ]),
        max_size=20,
    )
)
def test_no_file_is_a_surprise(pieces: list[str]) -> None:
    loaded("".join(pieces))


def test_a_bomb_of_aliases_is_refused() -> None:
    layers = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    layers += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert refused("- {" + ", ".join(layers) + "}")[0] == "LOAD_ERR_YAML_PARSE"


@pytest.mark.skipif("FALCO_RULES" not in os.environ, reason="FALCO_RULES names no folder of Falco's default rules")
def test_the_default_rules_load_without_a_word() -> None:
    for path in sorted(Path(os.environ["FALCO_RULES"]).glob("*.yaml")):
        ruleset = loaded(path.read_text(encoding="utf-8"))
        assert (ruleset.errors, ruleset.warnings) == ([], [])
        assert len(ruleset.rules) > 20


@pytest.mark.skipif(
    "FALCO_LOADER_CASES" not in os.environ, reason="FALCO_LOADER_CASES names no file of Falco's own cases"
)
def test_falcos_own_cases() -> None:
    for case in json.loads(Path(os.environ["FALCO_LOADER_CASES"]).read_text(encoding="utf-8")):
        ruleset = loaded(case["rules"])
        assert ruleset.successful == case["successful"], case["test"]
        assert [[error.code, error.message] for error in ruleset.errors] == case["errors"], case["test"]
        assert sorted(w.code for w in ruleset.warnings) == sorted(code for code, _ in case["warnings"]), case["test"]
