"""Whether a condition holds for the fields of an alert, as Falco's engine would say.

A check on a field that has no value is false, `!=` too; `not` of it is true. In the three-valued reading a field that is
not told at all (its name is absent, unlike one that is null) makes a check unknown, and Kleene's logic decides what
follows from that.
Source: libsinsp's `filter_compare.cpp`, `sinsp_filtercheck.cpp` and its transformers, and answers of Falco 0.44.1.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import operator
import re
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aegis.falco.fields import Entry, FieldError, resolve
from aegis.falco.glob import matcher
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

_WIDEST = 256
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
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "==": operator.eq, "!=": operator.ne, "in": operator.eq, "intersects": operator.eq,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


class EvaluationError(ValueError):
    """A condition that is well formed and yet refused: of an unknown field, or a check that its type does not know."""


class _Untold(Exception):
    """A field of which nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where the value of one side of a check comes from.

    Attributes:
        entry: of what type it is, transformers included.
        values: its values for an event, none where it has none.
    """

    entry: Entry
    values: Callable[[Fields], Sequence[Any]]


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
        holds = _against(left.entry, check.operator, check.modifier, texts)
        if left.entry.is_list and check.operator == "in":
            return lambda fields: bool(values := left.values(fields)) and all(map(holds, values))
        return lambda fields: any(map(holds, left.values(fields)))

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
        compare = _two(left.entry, check.operator)

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
                value = text.encode("utf-8", "surrogateescape")
                entry = Entry(name="", type="CHARBUF", argument="")
                return _Source(entry=entry, values=lambda _: (value,))
            case Group(items):
                return _listed([self._source(item) for item in items])

    def _field(self, field: Field) -> _Source:
        entry, name, strict = resolve(field), str(field), self._strict
        plain = f"{field.name}[{field.argument}]" if field.argument is not None else field.name
        read = _reader(entry)
        is_ancestor = entry.name in _ANCESTRAL and field.argument is None

        def values(fields: Fields) -> Sequence[Any]:
            if is_ancestor:
                return _ancestors(fields, entry.name, read, strict=strict)
            value = fields.get(plain, fields.get(name, _ABSENT))
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
_ANCESTRAL = frozenset({"proc.aname", "proc.aexe", "proc.aexepath", "proc.acmdline", "proc.apid"})


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


# Constants.


def _against(entry: Entry, word: str, modifier: str, texts: list[str]) -> Callable[[Any], bool]:
    """Whether a value passes a check against constants."""
    if word in {"in", "intersects"} and entry.kind != "network":
        members = frozenset(_constant(entry, text) for text in texts)
        return lambda value: value in members
    tests = [_test(entry, word, text) for text in texts]
    if not modifier:
        return lambda value: any(test(value) for test in tests)
    if not tests:
        return lambda _: False
    if modifier == "oneof":
        return lambda value: sum(test(value) for test in tests) == 1
    if modifier == "anyof":
        return lambda value: any(test(value) for test in tests)
    return lambda value: all(test(value) for test in tests)


def _test(entry: Entry, word: str, text: str) -> Callable[[Any], bool]:
    if word == "pmatch":
        return _path_prefix(text)
    if word == "regex":
        return _regular(text)
    if entry.kind == "network":
        network = _network(text)
        return (lambda value: value not in network) if word == "!=" else (lambda value: value in network)
    if word in {"glob", "iglob"}:
        return matcher(_bytes(text), ignore_case=word == "iglob")
    compare = _two(entry, word)
    constant = _unhexed(text) if word in {"bcontains", "bstartswith"} else _constant(entry, text)
    return lambda value: compare(value, constant)


def _two(entry: Entry, word: str) -> Callable[[Any, Any], bool]:
    if word in _COMPARE:
        return _COMPARE[word]
    tests: dict[str, Callable[[bytes, bytes], bool]] = {
        "contains": lambda value, part: part in value,
        "bcontains": lambda value, part: part in value,
        "icontains": lambda value, part: part.lower() in value.lower(),
        "startswith": bytes.startswith,
        "bstartswith": bytes.startswith,
        "endswith": bytes.endswith,
        "glob": lambda value, pattern: matcher(pattern)(value),
        "iglob": lambda value, pattern: matcher(pattern, ignore_case=True)(value),
    }
    if word not in tests or entry.kind not in {"text", "bytes", "any"}:
        raise EvaluationError(f"filter error: '{word}' operator not supported for type '{entry.type}'")
    return tests[word]


def _constant(entry: Entry, text: str) -> Any:
    match entry.kind:
        case "number":
            return _number(entry, text)
        case "truth":
            if text not in {"true", "false"}:
                raise EvaluationError(f"filter error: unrecognized boolean value {text}")
            return text == "true"
        case "address":
            return _address(text)
        case _:
            value = _bytes(text)
            if b"\0" in value:
                raise EvaluationError("filter error: filter value cannot contain a NUL byte (\\x00)")
            if len(value) >= _WIDEST:
                raise EvaluationError(f"filter parameter too long (used={len(value) + 1}, available={_WIDEST})")
            return value


def _number(entry: Entry, text: str) -> int:
    if entry.type == "PORT" and not text.isdigit():
        if not text:
            return 0
        try:
            return socket.getservbyname(text)
        except (OSError, UnicodeError):
            raise EvaluationError(f"unrecognized protocol {text}") from None
    low, high = entry.bounds
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise EvaluationError(f'error in parsing "{text}" as a number')
    number = int(text)
    if entry.type.startswith("UINT") or entry.type in {"ABSTIME", "RELTIME"}:
        return number % (high + 1)
    if not low <= number <= high:
        raise EvaluationError(f'error in parsing "{text}" as a number: out of range')
    return number


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.IPv4Address(text) if "." in text and ":" not in text else ipaddress.IPv6Address(text)
    except ValueError:
        raise EvaluationError(f"unrecognized IPv{4 if '.' in text else 6} address {text}") from None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        if "/" not in text:
            raise EvaluationError(f"unrecognized IP network {text}")
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise EvaluationError(f"unrecognized IP network {text}") from error


def _unhexed(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        message = "filter error: bcontains and bstartswith operator support hex strings only"
        raise EvaluationError(message) from None


def _regular(text: str) -> Callable[[bytes], bool]:
    # RE2 is what Falco uses: the same language, and no text makes it slow.
    import re2

    options = re2.Options()
    options.posix_syntax = options.longest_match = True
    options.log_errors = False
    try:
        pattern = re2.compile(_bytes(text), options)
    except re2.error as error:
        raise EvaluationError(f"invalid regex pattern: {error}") from None
    return lambda value: pattern.fullmatch(value.decode("utf-8", "replace").encode()) is not None


def _path_prefix(text: str) -> Callable[[bytes], bool]:
    wanted = [matcher(part) for part in _bytes(text).split(b"/") if part]

    def matches(value: bytes) -> bool:
        parts = [part for part in value.split(b"/") if part]
        return len(parts) >= len(wanted) and all(test(part) for test, part in zip(wanted, parts, strict=False))

    return matches


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


# Values.


def _reader(entry: Entry) -> Callable[[Any], Sequence[Any]]:
    """From a value in an alert's JSON to the values that are compared."""
    match entry.kind:
        case "number":
            return lambda value: (value,) if isinstance(value, int | float) else _numbers(value)
        case "truth":
            return lambda value: (value if isinstance(value, bool) else str(value).lower() == "true",)
        case "address" | "network":
            return _addresses
        case _:
            return _texts


def _numbers(value: Any) -> Sequence[Any]:
    try:
        return (int(str(value)),)
    except ValueError:
        return ()


def _addresses(value: Any) -> Sequence[Any]:
    try:
        return (ipaddress.ip_address(str(value)),)
    except ValueError:
        return ()


def _texts(value: Any) -> Sequence[bytes]:
    if isinstance(value, list):
        return [_bytes(str(item)) for item in value]
    if isinstance(value, bool):
        return (b"true" if value else b"false",)
    return (_bytes(str(value)),)


def _ancestors(fields: Fields, name: str, read: Callable[[Any], Sequence[Any]], *, strict: bool) -> Sequence[Any]:
    told = [value for key, value in fields.items() if key.startswith(f"{name}[") and value is not None]
    if strict:
        raise _Untold
    return [one for value in told for one in read(value)]


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
