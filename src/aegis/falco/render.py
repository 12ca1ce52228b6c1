"""From a tree to text that can stand in a rule file: what is read of it is the same tree again.

Unlike `tree.text`, which prints as Falco prints and loses empty strings and quotes, every value that could be read as
something else is quoted and escaped.
"""

from __future__ import annotations

import re

from aegis.falco.grammar import MODIFIERS, NUMBER_OPERATORS
from aegis.falco.tree import (
    And,
    Comparison,
    Condition,
    Exists,
    Field,
    Group,
    Literal,
    Not,
    Or,
    Reference,
    Term,
    Transformed,
)

_SAFE = re.compile(r"[A-Za-z0-9_./:@%+-]+")
_ESCAPES = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"'}
_NUMBER = re.compile(r"[+-]?[0-9]+")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def rendered(condition: Condition) -> str:
    """A condition as it may be written."""
    match condition:
        case And(children):
            return " and ".join(_operand(child) for child in children)
        case Or(children):
            return " or ".join(_operand(child) for child in children)
        case Not(child):
            return f"not {_operand(child)}"
        case Reference(name):
            # A macro may be called like that, and is read as one within parentheses only.
            return f"({name})" if name in {"and", "or", "not"} else name
        case Exists(left):
            return f"{_term(left)} exists"
        case Comparison(left, operator, right, modifier):
            words = [_term(left), operator, *([modifier] if modifier else []), _right(operator, modifier, right)]
            return " ".join(words)


def quoted(value: str) -> str:
    """A value in double quotes, escaped."""
    written = "".join(_ESCAPES.get(character, character) for character in value)
    if value.endswith("\\"):
        # A quote after a backslash never closes a string, not even after an escaped one; "\\ " is an old escape of "\\".
        written = written[:-1] + " "
    return f'"{written}"'


def _operand(condition: Condition) -> str:
    # Parentheses also where they are not needed: nobody should have to know what binds how.
    written = rendered(condition)
    return f"({written})" if isinstance(condition, And | Or | Not) else written


def _right(operator: str, modifier: str, term: Term) -> str:
    if isinstance(term, Group):
        return f"({', '.join(_value(item) for item in term.items)})"
    if isinstance(term, Literal):
        if operator in NUMBER_OPERATORS:
            return term.text
        is_list = modifier or operator in {"in", "intersects", "pmatch"}
        return term.text if is_list and _NAME.fullmatch(term.text) else _value(term)
    return _term(term)


def _value(term: Term) -> str:
    if not isinstance(term, Literal):
        return _term(term)
    return term.text if _SAFE.fullmatch(term.text) and term.text not in MODIFIERS else quoted(term.text)


def _term(term: Term) -> str:
    match term:
        case Field(name, None):
            return name
        case Field(name, argument):
            return f"{name}[{argument if _SAFE.fullmatch(argument or '') else quoted(argument or '')}]"
        case Literal(text):
            return text if _NUMBER.fullmatch(text) else quoted(text)
        case Group(items):
            return f"({', '.join(_term(item) for item in items)})"
        case Transformed(name, arguments):
            return f"{name}({', '.join(_term(argument) for argument in arguments)})"
