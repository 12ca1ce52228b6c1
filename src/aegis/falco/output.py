"""The output of a rule: text with fields in it, such as `user=%user.name parent=%proc.aname[2] %tolower(proc.name)`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aegis.falco.fields import FieldError, resolve
from aegis.falco.grammar import TRANSFORMERS, ConditionError, parse
from aegis.falco.tree import Exists, Field, Term, Transformed

_SPECIAL = frozenset({"container.info"})
_FIELD = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*(?:\.[a-zA-Z][a-zA-Z0-9_]*)+(?:\[[^\]]*\])?")
_CALL = re.compile(rf"(?:{'|'.join(TRANSFORMERS)})\(")


class OutputError(ValueError):
    """An output with something in it that is no field.

    Attributes:
        is_unknown_field: whether it has the form of one, and there is no such.
    """

    def __init__(self, message: str, *, is_unknown_field: bool = False) -> None:
        super().__init__(message)
        self.is_unknown_field = is_unknown_field


def fields_of(output: str) -> list[Field]:
    """The fields that an output shows.

    Raises:
        OutputError: something in it is no field.
    """
    return list(_fields(output))


def _fields(output: str) -> Iterator[Field]:
    at = 0
    while (at := output.find("%", at)) >= 0:
        at += 1
        if output[at : at + 1] == "*":
            at += 1
        if output[at : at + 1] == "%":
            at += 1
            continue
        end, term = _token(output, at)
        at = end
        yield from _known(term)


def _token(output: str, at: int) -> tuple[int, Term]:
    if _CALL.match(output, at):
        end, depth = at, 0
        for end in range(at, len(output)):
            depth += {"(": 1, ")": -1}.get(output[end], 0)
            if depth == 0 and output[end] == ")":
                break
        text, after = output[at : end + 1], end + 1
    elif match := _FIELD.match(output, at):
        text, after = match[0], match.end()
    else:
        raise OutputError(f"invalid formatting token {output[at : at + 40]}")
    try:
        found = parse(f"{text} exists")
    except ConditionError as error:
        raise OutputError(f"invalid formatting token {text}: {error.message}") from error
    if not isinstance(found, Exists):
        raise OutputError(f"invalid formatting token {text}")
    return after, found.left


def _known(term: Term) -> Iterator[Field]:
    if isinstance(term, Field):
        if term.name in _SPECIAL:
            return
        try:
            resolve(term)
        except FieldError as error:
            raise OutputError(f"invalid formatting token {term}: {error}", is_unknown_field=True) from error
        yield term
    elif isinstance(term, Transformed):
        for argument in term.arguments:
            yield from _known(argument)
