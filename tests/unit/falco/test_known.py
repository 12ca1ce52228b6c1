"""What follows from a condition that holds, and what it leaves of another one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.falco.evaluate import compiled
from aegis.falco.grammar import parse
from aegis.falco.known import consequences, known
from aegis.falco.tree import And, Comparison, Condition, Field, Literal, Not, Or
from aegis.falco.tree import text as printed

A, B, C = "proc.name = a", "proc.name = b", "proc.name = c"


@pytest.mark.parametrize(
    ("now", "left"),
    [
        (f"{A} and not {B}", True),
        (f"({A} and not {B}) and not {C}", f"not {C}"),
        (f"{A} and not ({B} or {C})", f"not {C}"),
        (f"{B} and {C}", False),
        (f"{B} or {C}", C),
        (f"{A} or {C}", True),
        (C, C),
    ],
)
def test_what_is_left_where_a_holds_and_b_does_not(now: str, left: bool | str) -> None:
    found = known(parse(now), consequences(parse(f"{A} and not {B}")))
    assert (found if isinstance(found, bool) else printed(found)) == left


CHECKS = st.builds(
    lambda name, value: Comparison(Field(name), "=", Literal(value)),
    st.sampled_from(["proc.name", "proc.pname", "fd.name"]),
    st.sampled_from(["a", "b"]),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    CHECKS,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.tuples(inner, inner)),
        st.builds(Or, st.tuples(inner, inner)),
    ),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries({
    name: st.sampled_from(["a", "b", "c"]) for name in ("proc.name", "proc.pname", "fd.name")
})


@settings(max_examples=100)
@given(CONDITIONS, CONDITIONS, FIELDS)
def test_nothing_is_left_out_that_matters(before: Condition, now: Condition, fields: dict[str, str]) -> None:
    facts = consequences(before, holds=bool(compiled(before)(fields)))
    left = known(now, facts)
    assert (left if isinstance(left, bool) else compiled(left)(fields)) == compiled(now)(fields)
