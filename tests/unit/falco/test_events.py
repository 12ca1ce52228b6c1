"""The event types that a condition can match."""

from __future__ import annotations

import pytest

from aegis.falco.events import ALL, Types, event_names, types_of
from aegis.falco.grammar import parse


@pytest.mark.parametrize(
    ("condition", "types"),
    [
        ("evt.type = open", Types(frozenset({"open"}))),
        ("evt.type in (open, openat) and proc.name = x", Types(frozenset({"open", "openat"}))),
        ("evt.type = open or evt.type = close", Types(frozenset({"open", "close"}))),
        ("evt.type = open or proc.name = x", ALL),
        ("not evt.type = open", Types(frozenset({"open"}), others=True)),
        ("evt.type != open", Types(frozenset({"open"}), others=True)),
        ("not evt.type != open", Types(frozenset({"open"}))),
        ("not (evt.type = open or evt.type = close)", Types(frozenset({"open", "close"}), others=True)),
        ("not proc.name = x", ALL),
        ("evt.type exists", ALL),
    ],
)
def test_types(condition: str, types: Types) -> None:
    assert types_of(parse(condition)) == types


def test_the_names_are_whole() -> None:
    assert {"open", "execve", "container", "procexit", "clone3"} <= event_names()
    assert len(ALL) == len(event_names()) > 400
