"""What is written is read as the same tree again, whatever the values are."""

from __future__ import annotations

import pytest
from conditions import conditions
from hypothesis import given, settings

from aegis.falco.grammar import parse
from aegis.falco.render import quoted, rendered
from aegis.falco.tree import Comparison, Condition, Field, Group, Literal


@settings(max_examples=40)
@given(conditions())
def test_reading_undoes_writing(condition: Condition) -> None:
    assert parse(rendered(condition)) == condition


@pytest.mark.parametrize(
    "value", ["", "a b", "x,y", "p(1)", "k=v", 'q"q', "it's", "val(x)", "oneof", "\n", "back\\slash", "é"]
)
def test_a_value_is_never_read_as_something_else(value: str) -> None:
    for condition in (
        Comparison(Field("proc.name"), "=", Literal(value)),
        Comparison(Field("proc.name"), "in", Group((Literal(value), Literal("b")))),
    ):
        assert parse(rendered(condition)) == condition


def test_parentheses_show_what_binds() -> None:
    assert rendered(parse("a and b or not (c or d)")) == "(a and b) or (not (c or d))"
    assert quoted("a\tb") == '"a\\tb"'


def test_a_macro_that_is_called_like_a_word() -> None:
    for text in ("(not) or proc.name = a", "not (not)", "(and) and (or)", "proc.name = a and (not)"):
        assert parse(rendered(parse(text))) == parse(text)
