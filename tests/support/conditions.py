"""Random conditions and events of the Falco language, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from aegis.falco.tree import And, Comparison, Condition, Exists, Field, Group, Literal, Not, Or, Transformed

TEXTS = ("proc.name", "proc.pname", "fd.name", "container.image.repository", "proc.aname[2]")
NUMBERS = ("proc.pid", "fd.rport", "user.uid")
_PLAIN = ("proc.name", "proc.pname", "fd.name", "container.image.repository")
_WORDS = ("=", "!=", "contains", "icontains", "startswith", "endswith", "glob", "iglob")

values = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8) | st.sampled_from((
    "sh",
    "bash",
    "/bin/sh",
    "*sh",
    "[a-z]?",
    "",
    "a b",
    "it's",
    'q"q',
    "\\",
))


def fields(names: tuple[str, ...]) -> SearchStrategy[Field]:
    """One of some fields."""
    return st.sampled_from(names).map(_field)


def conditions(depth: int = 8) -> SearchStrategy[Condition]:
    """Conditions that Falco accepts."""
    literals = values.map(Literal)
    groups = st.lists(literals, max_size=3).map(lambda items: Group(tuple(items)))
    some = st.lists(literals, min_size=1, max_size=3).map(lambda items: Group(tuple(items)))
    left = fields(TEXTS)
    changed = st.builds(
        lambda f, name: Transformed(name, (f,)), fields(_PLAIN), st.sampled_from(("tolower", "toupper", "basename"))
    )
    counted = fields(_PLAIN).map(lambda f: Transformed("len", (f,)))
    numbers = st.integers(0, 99).map(lambda n: Literal(str(n)))
    leaves: SearchStrategy[Condition] = st.one_of(
        left.map(Exists),
        st.builds(Comparison, left | changed, st.sampled_from(_WORDS), literals),
        st.builds(
            Comparison, left | changed, st.sampled_from(_WORDS), some, st.sampled_from(("oneof", "anyof", "allof"))
        ),
        st.builds(Comparison, left | changed, st.sampled_from(("in", "intersects", "pmatch")), groups),
        st.builds(Comparison, fields(NUMBERS) | counted, st.sampled_from(("<", "<=", ">", ">=")), numbers),
        st.builds(Comparison, fields(_PLAIN), st.just("="), fields(_PLAIN).map(lambda f: Transformed("val", (f,)))),
    )
    return st.recursive(
        leaves,
        lambda inner: (
            inner.filter(lambda child: not isinstance(child, Not)).map(Not)
            | st.lists(inner, min_size=2, max_size=3).map(lambda children: And(tuple(children)))
            | st.lists(inner, min_size=2, max_size=3).map(lambda children: Or(tuple(children)))
        ),
        max_leaves=depth,
    )


def events() -> SearchStrategy[dict[str, Any]]:
    """Fields of an alert: some with a value, some null, some not told."""
    texts = {name: st.none() | values for name in TEXTS}
    numbers = {name: st.none() | st.integers(0, 99) for name in NUMBERS}
    return st.fixed_dictionaries({}, optional={**texts, **numbers})


def _field(name: str) -> Field:
    plain, _, argument = name.partition("[")
    return Field(plain, argument.rstrip("]")) if argument else Field(plain)
