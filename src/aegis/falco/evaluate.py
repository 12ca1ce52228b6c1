"""Whether a condition holds for the fields of an alert, as Falco's engine would say.

A check on a field that has no value is false, `!=` too; `not` of it is true. In the three-valued reading a field that is
not told at all (its name is absent, unlike one that is null) makes a check unknown, and Kleene's logic decides what
follows from that.
Source: libsinsp's `filter_compare.cpp`, `sinsp_filtercheck.cpp` and its transformers, and answers of Falco 0.44.1.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aegis.falco.comparison import EvaluationError, against, as_bytes, comparer, reader
from aegis.falco.fields import Entry, FieldError, resolve
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

Fields = Mapping[str, Any]
Truth = bool | None
"""True, false, or unknown."""
Check = Callable[[Fields], Truth]

_EQUALITY = frozenset({"=", "==", "!=", "in", "intersects"})
_ORDER = frozenset({"<", "<=", ">", ">="})
_TEXT = frozenset({"contains", "icontains", "startswith", "endswith", "glob", "iglob", "regex", "pmatch"})
_BYTES = frozenset({"contains", "startswith", "endswith", "bcontains", "bstartswith"})
_OPERATORS = {
    "number": (_EQUALITY | _ORDER, "numeric filters"),
    "truth": (_EQUALITY, "numeric filters"),
    "address": (_EQUALITY, "ip address and network filters"),
    "network": (_EQUALITY, "ip address and network filters"),
    "bytes": (_EQUALITY | _BYTES, "buffer filters"),
    "text": (_EQUALITY | _ORDER | _TEXT, "string filters"),
    "any": (_EQUALITY | _ORDER | _TEXT | _BYTES, "any filters"),
}


class _Untold(Exception):
    """A field of which nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where the value of one side of a check comes from.

    Attributes:
        entry: of what type it is, transformers included.
        values: its values for an event, none where it has none.
        some: for a field that has many, those that are told where not all are.
    """

    entry: Entry
    values: Callable[[Fields], Sequence[Any]]
    some: Callable[[Fields], Sequence[Any]] | None = None


def compiled(condition: Condition, *, absent_is_unknown: bool = False) -> Check:
    """A function that says whether the condition holds for some fields.

    Args:
        condition: without references to macros.
        absent_is_unknown: the three-valued reading; else what is absent has no value, as null.

    Raises:
        EvaluationError: Falco would refuse the condition.
    """
    try:
        return _Compiler(absent_is_unknown=absent_is_unknown).check(condition)
    except FieldError as error:
        raise EvaluationError(str(error)) from error


class _Compiler:
    def __init__(self, *, absent_is_unknown: bool) -> None:
        self._strict = absent_is_unknown

    def check(self, condition: Condition) -> Check:
        match condition:
            case And(children):
                return _all([self.check(child) for child in children])
            case Or(children):
                return _any([self.check(child) for child in children])
            case Not(child):
                return _not(self.check(child))
            case Exists(left):
                source = self._source(left)
                return _guarded(lambda fields: bool(source.values(fields)))
            case Comparison():
                return _guarded(self._comparison(condition))
            case Reference(name):
                raise EvaluationError(f"filter error: unexpected identifier '{name}'")

    def _comparison(self, check: Comparison) -> Callable[[Fields], bool]:
        left = self._source(check.left)
        _check_operator(left.entry, check)
        if isinstance(check.right, Field | Transformed):
            return self._between(left, check, check.right)
        texts = [item.text for item in _literals(check.right)]
        holds = against(left.entry, check.operator, check.modifier, texts)
        if left.entry.is_list and check.operator == "in":
            return lambda fields: bool(values := left.values(fields)) and all(map(holds, values))
        if left.some is not None:
            return _any_of(holds, left.some, left.values)
        return _one_of(holds, left.values)

    def _between(self, left: _Source, check: Comparison, term: Term) -> Callable[[Fields], bool]:
        right = self._source(term)
        if check.operator in {"pmatch", "regex"}:
            raise EvaluationError(f"operator '{check.operator.upper()}' doesn't support right-hand side fields")
        for source in (left, right):
            if not source.entry.comparable:
                raise EvaluationError(f"field '{source.entry.name}' doesn't support right-hand side fields")
        if left.entry.type != right.entry.type:
            raise EvaluationError(
                f"field '{left.entry.name}' has type '{left.entry.type}' while the right-hand side field "
                f"'{right.entry.name}' has incompatible type '{right.entry.type}'"
            )
        compare = comparer(left.entry, check.operator)

        def holds(fields: Fields) -> bool:
            ours, theirs = left.values(fields), right.values(fields)
            return any(compare(one, other) for one in ours for other in theirs)

        return holds

    # Sides.

    def _source(self, term: Term) -> _Source:
        match term:
            case Field():
                return self._field(term)
            case Transformed("val", (inner,)):
                return self._source(inner)
            case Transformed(name, (inner,)) if name in _TRANSFORMERS:
                return _transformed(name, self._source(inner))
            case Transformed(name, arguments):
                return self._combined(name, arguments)
            case Literal(text):
                value = as_bytes(text)
                entry = Entry(name="", type="CHARBUF", argument="")
                return _Source(entry=entry, values=lambda _: (value,))
            case Group(items):
                return _listed([self._source(item) for item in items])

    def _field(self, field: Field) -> _Source:
        entry, name, strict = resolve(field), str(field), self._strict
        plain = f"{field.name}[{field.argument}]" if field.argument is not None else field.name
        read = reader(entry)
        if entry.name in ANCESTRAL and field.argument is None:
            return _ancestors(entry, read, strict=strict)

        def values(fields: Fields) -> Sequence[Any]:
            value = fields.get(plain, _ABSENT)
            if value is _ABSENT:
                value = fields.get(name, _ABSENT)
            if value is _ABSENT:
                if strict:
                    raise _Untold
                return ()
            return () if value is None else read(value)

        return _Source(entry=entry, values=values)

    def _combined(self, name: str, arguments: tuple[Term, ...]) -> _Source:
        sources = [self._source(argument) for argument in arguments]
        entry = Entry(name="", type="CHARBUF", argument="")
        if name == "join" and len(sources) == 2 and sources[1].entry.is_list and not sources[0].entry.is_list:  # noqa: PLR2004
            separator, listed = sources
            return _Source(entry=entry, values=lambda fields: _joined(separator, listed, fields))
        texts = all(source.entry.kind == "text" and not source.entry.is_list for source in sources)
        if name == "concat" and len(sources) > 1 and texts:
            return _Source(entry=entry, values=lambda fields: _concatenated(sources, fields))
        raise EvaluationError(f"filter error: wrong arguments of transformer '{name}'")


_ABSENT = object()
ANCESTRAL = frozenset({"proc.aname", "proc.aexe", "proc.aexepath", "proc.acmdline", "proc.apid"})
"""Fields that without an argument stand for every ancestor."""


def _one_of(holds: Callable[[Any], bool], values: Callable[[Fields], Sequence[Any]]) -> Callable[[Fields], bool]:
    def check(fields: Fields) -> bool:
        for value in values(fields):  # noqa: SIM110 - most fields have one value, and `any` costs more than that
            if holds(value):
                return True
        return False

    return check


def _any_of(
    holds: Callable[[Any], bool], some: Callable[[Fields], Sequence[Any]], values: Callable[[Fields], Sequence[Any]]
) -> Callable[[Fields], bool]:
    """One of the values that are told is enough; that none of all is takes all of them."""
    return lambda fields: any(map(holds, some(fields))) or any(map(holds, values(fields)))


def _guarded(holds: Callable[[Fields], bool]) -> Check:
    def check(fields: Fields) -> Truth:
        try:
            return holds(fields)
        except _Untold:
            return None

    return check


def _all(checks: list[Check]) -> Check:
    def check(fields: Fields) -> Truth:
        result: Truth = True
        for one in checks:
            truth = one(fields)
            if truth is False:
                return False
            result = None if truth is None else result
        return result

    return check


def _any(checks: list[Check]) -> Check:
    def check(fields: Fields) -> Truth:
        result: Truth = False
        for one in checks:
            truth = one(fields)
            if truth:
                return True
            result = None if truth is None else result
        return result

    return check


def _not(inner: Check) -> Check:
    def check(fields: Fields) -> Truth:
        truth = inner(fields)
        return None if truth is None else not truth

    return check


def _check_operator(entry: Entry, check: Comparison) -> None:
    known, what = (frozenset({"in", "intersects"}), "list filters") if entry.is_list else _OPERATORS[entry.kind]
    if check.operator not in known:
        shown = "=" if check.operator == "==" else check.operator
        raise EvaluationError(f"filter error: '{shown}' operator not supported for {what}")


def _literals(term: Term) -> Iterable[Literal]:
    items = term.items if isinstance(term, Group) else (term,)
    return (item for item in items if isinstance(item, Literal))


def _ancestors(entry: Entry, read: Callable[[Any], Sequence[Any]], *, strict: bool) -> _Source:
    prefix = f"{entry.name}["

    def some(fields: Fields) -> Sequence[Any]:
        told = [value for key, value in fields.items() if key.startswith(prefix) and value is not None]
        return [one for value in told for one in read(value)]

    def values(fields: Fields) -> Sequence[Any]:
        if strict and not _reaches_the_root(fields, prefix):
            raise _Untold
        return some(fields)

    return _Source(entry=entry, values=values, some=some)


def _reaches_the_root(fields: Fields, prefix: str) -> bool:
    """Whether every ancestor is told: from the parent on, up to the first that is none."""
    number = 1
    while (key := f"{prefix}{number}]") in fields:
        if fields[key] is None:
            return True
        number += 1
    return False


# Transformers.


def _transformed(name: str, source: _Source) -> _Source:
    entry = source.entry
    if not entry.transformable:
        raise EvaluationError(f"field '{entry.name}' does not support transformers")
    if name == "len" and entry.is_list:
        counted = replace(entry, type="UINT64", is_list=False)
        return _Source(entry=counted, values=lambda fields: _count(source.values(fields)))
    if entry.kind not in ({"text", "bytes"} if name in {"len", "b64", "tolower", "toupper"} else {"text"}):
        raise EvaluationError(
            f"can't add field transformer: type '{entry.type}' is not supported by '{name}' transformer applied on "
            f"field '{entry.name}'"
        )
    change = _TRANSFORMERS[name]
    after = replace(entry, type="UINT64") if name == "len" else entry

    def values(fields: Fields) -> Sequence[Any]:
        return [changed for value in source.values(fields) if (changed := change(value)) is not None]

    return _Source(entry=after, values=values)


def _count(values: Sequence[Any]) -> Sequence[int]:
    return (len(values),)


def _decoded(value: bytes) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


_TRANSFORMERS: dict[str, Callable[[bytes], Any]] = {
    "tolower": bytes.lower,
    "toupper": bytes.upper,
    "b64": _decoded,
    "basename": lambda value: value.rpartition(b"/")[2],
    "len": len,
}


def _listed(sources: list[_Source]) -> _Source:
    entry = Entry(name="", type="CHARBUF", argument="", is_list=True)

    def values(fields: Fields) -> Sequence[Any]:
        each = [source.values(fields) for source in sources]
        return [_printed(value[0]) for value in each] if all(each) else ()

    return _Source(entry=entry, values=values)


def _joined(separator: _Source, listed: _Source, fields: Fields) -> Sequence[bytes]:
    between, parts = separator.values(fields), listed.values(fields)
    return (between[0].join(parts),) if between and parts else ()


def _concatenated(sources: list[_Source], fields: Fields) -> Sequence[bytes]:
    each = [source.values(fields) for source in sources]
    return (b"".join(value[0] for value in each),) if all(each) else ()


def _printed(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
