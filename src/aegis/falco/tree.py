"""A condition as a tree, and the tree as the text that Falco shows of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_ESCAPES = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"'}
_EMPTY = '""'
_QUOTED = frozenset(_ESCAPES) | {" ", "'"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an event, such as `proc.aname[2]`; `argument` is None where there are no brackets."""

    name: str
    argument: str | None = None

    def __str__(self) -> str:
        if self.argument is None:
            return self.name
        return f"{self.name}[{escaped(self.argument) if self.argument else _EMPTY}]"


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, or a number, as it was written (without quotes and escapes)."""

    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """Several literals, or (within a transformer) several terms, in parentheses."""

    items: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Transformed:
    """A transformer over its arguments, such as `tolower(proc.name)`; `val` is one on the right-hand side."""

    name: str
    arguments: tuple[Term, ...]


Term = Field | Literal | Group | Transformed


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of a macro."""

    name: str


@dataclass(frozen=True, slots=True)
class Exists:
    """Whether a field has a value."""

    left: Field | Transformed


@dataclass(frozen=True, slots=True)
class Comparison:
    """A check of a field against values; `modifier` is empty, `oneof`, `anyof` or `allof`."""

    left: Field | Transformed
    operator: str
    right: Term
    modifier: str = ""


@dataclass(frozen=True, slots=True)
class Not:
    """Negation."""

    child: Condition


@dataclass(frozen=True, slots=True)
class And:
    """Conjunction of two or more."""

    children: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Disjunction of two or more."""

    children: tuple[Condition, ...]


Condition = Reference | Exists | Comparison | Not | And | Or


def text(condition: Condition) -> str:
    """The condition as Falco prints it: parsing this text gives the same tree again.

    Source: libsinsp's `filter/ast.cpp`.
    """
    match condition:
        case And(children):
            return f"({' and '.join(text(child) for child in children)})"
        case Or(children):
            return f"({' or '.join(text(child) for child in children)})"
        case Not(child):
            return f"not {text(child)}"
        case Reference(name):
            return name
        case Exists(left):
            return f"{_plain(left)} exists"
        case Comparison(left, operator, right, modifier):
            words = [_plain(left), operator, *([modifier] if modifier else []), _value(right)]
            return " ".join(words)


def conjuncts(condition: Condition) -> Iterator[Condition]:
    """What must all hold for the condition to hold."""
    if isinstance(condition, And):
        for child in condition.children:
            yield from conjuncts(child)
    else:
        yield condition


def checks_in(condition: Condition) -> Iterator[Comparison | Exists]:
    """Every check of a condition, macros left out, in order."""
    match condition:
        case And(children) | Or(children):
            for child in children:
                yield from checks_in(child)
        case Not(child):
            yield from checks_in(child)
        case Comparison() | Exists():
            yield condition
        case Reference():
            return


def fields_in(condition: Condition) -> Iterator[Field]:
    """Every field that a condition looks at, as often as it does."""
    for check in checks_in(condition):
        yield from fields_of_term(check.left)
        if isinstance(check, Comparison):
            yield from fields_of_term(check.right)


def fields_of_term(term: Term) -> Iterator[Field]:
    """Every field of one side of a check."""
    match term:
        case Field():
            yield term
        case Group(items) | Transformed(_, items):
            for item in items:
                yield from fields_of_term(item)
        case Literal():
            return


def columns_of(field: Field) -> tuple[str, ...]:
    """The names under which an alert may tell the field."""
    plain = field.name if field.argument is None else f"{field.name}[{field.argument}]"
    return (plain,) if plain == str(field) else (plain, str(field))


def escaped(value: str) -> str:
    """A value as Falco prints it: in quotes where it has blanks, quotes or backslashes."""
    if not _QUOTED.intersection(value):
        return value
    return '"' + "".join(_ESCAPES.get(character, character) for character in value) + '"'


def _value(term: Term) -> str:
    if isinstance(term, Literal):
        return escaped(term.text)
    if isinstance(term, Group):
        return f"({', '.join(_value(item) for item in term.items)})"
    return _plain(term)


def _plain(term: Term) -> str:
    """A term within a transformer, where Falco escapes nothing."""
    match term:
        case Field():
            return str(term)
        case Literal(value):
            return value
        case Group(items):
            return f"({','.join(_plain(item) for item in items)})"
        case Transformed(name, arguments):
            return f"{name}({','.join(_plain(argument) for argument in arguments)})"
