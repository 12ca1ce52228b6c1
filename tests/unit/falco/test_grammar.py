"""Conditions are read as Falco reads them; what is none is refused where Falco stops, in its words."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.falco.grammar import ConditionError, parse
from aegis.falco.tree import (
    And,
    Comparison,
    Exists,
    Field,
    Group,
    Literal,
    Not,
    Or,
    Reference,
    Transformed,
    text,
)

ACCEPTED = {
    "alpha": "alpha",
    "one and two or three": "((one and two) or three)",
    "one and(two or three)": "(one and (two or three))",
    "not not not one": "not one",
    "proc.pid>=4": "proc.pid >= 4",
    "proc.name in()": "proc.name in ()",
    "proc.name in shells": "proc.name in shells",
    'proc.name in ("my sh", zsh)': 'proc.name in ("my sh", zsh)',
    "proc.aname[ 2": None,
    "proc.aname[2] = init": "proc.aname[2] = init",
    'evt.arg["a b"] exists': 'evt.arg["a b"] exists',
    "fd.name startswith '/a\\'b'": 'fd.name startswith "/a\'b"',
    "tolower(proc.name) = val(proc.pname)": "tolower(proc.name) = val(proc.pname)",
    "proc.name = oneof (a, b)": "proc.name = oneof (a, b)",
    "proc.name = anyof shells": "proc.name = anyof shells",
    "proc.name = oneof": "proc.name = oneof",
    'join("-", (fd.name, 7)) = x': "join(-,(fd.name,7)) = x",
}
REFUSED = {
    "": ("filter input string is empty", 0),
    "one two": ("unexpected token after 'one', expecting 'or', 'and'", 4),
    "one andtwo": ("expected blank or '(' after 'and'", 7),
    "(one": ("expected a ')' token", 4),
    "proc.name like x": ("expected a valid check operator", 10),
    "proc.pid > x": ("expected a number value", 11),
    "proc.name contains": ("expected a valid check operator", 10),
    "proc.name = '\\q'": ("unsupported string escape sequence: \\q", 16),
    "proc.name in (a,)": ("expected a string value", 16),
    "=": ("expected a '(' token, a field check, or an identifier", 0),
    "(" * 200 + "one" + ")" * 200: ("exceeded max depth limit", 100),
}


@pytest.mark.parametrize(("source", "shown"), [(s, t) for s, t in ACCEPTED.items() if t], ids=str)
def test_what_is_accepted(source: str, shown: str) -> None:
    assert text(parse(source)) == shown


@pytest.mark.parametrize("source", REFUSED, ids=lambda source: source[:30] or "empty")
def test_what_is_refused(source: str) -> None:
    message, index = REFUSED[source]
    with pytest.raises(ConditionError) as refusal:
        parse(source)
    assert refusal.value.message.startswith(message)
    assert refusal.value.place.index == index


def test_the_tree_of_a_condition() -> None:
    assert parse("a and not (proc.name = x or len(fd.name) > 3) and fd.num exists") == And((
        Reference("a"),
        Not(
            Or((
                Comparison(Field("proc.name"), "=", Literal("x")),
                Comparison(Transformed("len", (Field("fd.name"),)), ">", Literal("3")),
            ))
        ),
        Exists(Field("fd.num")),
    ))
    assert parse("proc.name in (a, 'b c')") == Comparison(
        Field("proc.name"), "in", Group((Literal("a"), Literal("b c")))
    )


def test_a_caret_stands_under_the_place() -> None:
    with pytest.raises(ConditionError) as refusal:
        parse("spawned\n and proc.name likes x")
    assert (refusal.value.place.line, refusal.value.place.column) == (2, 16)
    *_, line, caret = refusal.value.explained().splitlines()
    assert line[caret.index("^") :] == "likes x"


def refusal(source: str) -> ConditionError | None:
    try:
        parse(source)
    except ConditionError as error:
        return error
    return None


@given(st.text(max_size=80) | st.text("()=<> '\"\\andortif.[],x1\n\t", max_size=80))
def test_no_text_is_a_surprise(source: str) -> None:
    refused = refusal(source)
    assert refused is None or (0 <= refused.place.index <= len(source) and refused.explained())


@pytest.mark.skipif(
    "FALCO_PARSER_CASES" not in os.environ, reason="FALCO_PARSER_CASES names no file of Falco's own cases"
)
def test_falcos_own_cases() -> None:
    for line in Path(os.environ["FALCO_PARSER_CASES"]).read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        refused = refusal(case["cond"])
        assert (refused is None) == case["ok"], case
        assert (text(parse(case["cond"])) if refused is None else refused.message) == case.get("ast", case.get("err"))
