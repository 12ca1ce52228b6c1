"""What follows from a condition that is known to hold, and what it leaves of another one."""

from __future__ import annotations

from collections.abc import Mapping

from aegis.falco.tree import And, Comparison, Condition, Field, Literal, Not, Or

_NUMBER = Field("evt.num")
ALWAYS: dict[Condition, bool] = {
    Comparison(_NUMBER, "=", Literal("0")): False,
    Comparison(_NUMBER, ">=", Literal("0")): True,
    Comparison(_NUMBER, ">", Literal("0")): True,
}
"""What rule files write for never and always: Falco counts events from 1."""


def consequences(condition: Condition, *, holds: bool = True) -> dict[Condition, bool]:
    """Every part whose truth follows from that of the whole: of `a and not (b or c)` that a holds, and b and c do not."""
    facts = {condition: holds}
    match condition:
        case And(children) if holds:
            for child in children:
                facts.update(consequences(child))
        case Or(children) if not holds:
            for child in children:
                facts.update(consequences(child, holds=False))
        case Not(child):
            facts.update(consequences(child, holds=not holds))
        case _:
            pass
    return facts


def known(condition: Condition, facts: Mapping[Condition, bool]) -> Condition | bool:
    """What is left to decide of a condition: its truth where the facts settle it, else what they say nothing of."""
    if condition in facts:
        return facts[condition]
    match condition:
        case Not(child):
            inner = known(child, facts)
            return not inner if isinstance(inner, bool) else Not(inner)
        case And(children):
            return _left(children, facts, And)
        case Or(children):
            return _left(children, facts, Or)
        case _:
            return condition


def _left(children: tuple[Condition, ...], facts: Mapping[Condition, bool], join: type[And | Or]) -> Condition | bool:
    settled = join is Or
    left: list[Condition] = []
    for child in children:
        inner = known(child, facts)
        if inner is settled:
            return settled
        if not isinstance(inner, bool):
            left.append(inner)
    if not left:
        return not settled
    return join(tuple(left)) if len(left) > 1 else left[0]
