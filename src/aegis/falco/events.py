"""Event types: which there are, and which of them a condition can match.

The names are those of Falco 0.44's drivers (system calls and other events), kept in `events.txt`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from aegis.falco.tree import And, Comparison, Condition, Field, Group, Literal, Not, Or

_TYPE_FIELDS = frozenset({"evt.type", "syscall.type"})
_EQUALITY = frozenset({"=", "==", "!=", "in"})


@functools.cache
def event_names() -> frozenset[str]:
    """Every event type."""
    return frozenset(Path(__file__).with_name("events.txt").read_text(encoding="utf-8").split())


@dataclass(frozen=True, slots=True)
class Types:
    """A set of event types: these, or (`others`) all but these."""

    names: frozenset[str]
    others: bool = False

    def __and__(self, other: Types) -> Types:
        if self.others and other.others:
            return Types(self.names | other.names, others=True)
        if self.others or other.others:
            some, all_but = (other, self) if self.others else (self, other)
            return Types(some.names - all_but.names)
        return Types(self.names & other.names)

    def __invert__(self) -> Types:
        return Types(self.names, others=not self.others)

    def __or__(self, other: Types) -> Types:
        return ~(~self & ~other)

    def __len__(self) -> int:
        return len(event_names() - self.names) if self.others else len(self.names)


ALL = Types(frozenset(), others=True)


def types_of(condition: Condition, *, negated: bool = False) -> Types:
    """The event types for which a condition may be true; what says nothing of types leaves all, negated or not.

    Source: libsinsp's `filter/ppm_codes.cpp`.
    """
    match condition:
        case Not(child):
            return types_of(child, negated=not negated)
        case And(children) | Or(children):
            found = [types_of(child, negated=negated) for child in children]
            all_of_them = isinstance(condition, And) is not negated
            return functools.reduce(Types.__and__ if all_of_them else Types.__or__, found)
        case Comparison(Field(name), operator, right) if name in _TYPE_FIELDS and operator in _EQUALITY:
            items = right.items if isinstance(right, Group) else (right,)
            named = Types(frozenset(item.text for item in items if isinstance(item, Literal)))
            return ~named if negated is not (operator == "!=") else named
        case _:
            return ALL
