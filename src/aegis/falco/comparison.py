"""One value against constants, and the values themselves: how each type of field is read and compared.

Source: libsinsp's `filter_compare.cpp` and `value_parser.cpp`.
"""

from __future__ import annotations

import binascii
import ipaddress
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from aegis.falco.fields import Entry
from aegis.falco.glob import matcher

_WIDEST = 256
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "==": operator.eq, "!=": operator.ne, "in": operator.eq, "intersects": operator.eq,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


class EvaluationError(ValueError):
    """A condition that is well formed and yet refused: of an unknown field, or a check that its type does not know."""


def against(entry: Entry, word: str, modifier: str, texts: list[str]) -> Callable[[Any], bool]:
    """Whether a value passes a check against constants."""
    if word in {"in", "intersects"} and entry.kind != "network":
        members = frozenset(_constant(entry, text) for text in texts)
        return lambda value: value in members
    tests = [_test(entry, word, text) for text in texts]
    if not modifier:
        return tests[0] if len(tests) == 1 else lambda value: any(test(value) for test in tests)
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
        return matcher(as_bytes(text), ignore_case=word == "iglob")
    compare = comparer(entry, word)
    constant = _unhexed(text) if word in {"bcontains", "bstartswith"} else _constant(entry, text)
    return lambda value: compare(value, constant)


def comparer(entry: Entry, word: str) -> Callable[[Any, Any], bool]:
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
            value = as_bytes(text)
            if b"\0" in value:
                raise EvaluationError("filter error: filter value cannot contain a NUL byte (\\x00)")
            if len(value) >= _WIDEST:
                raise EvaluationError(f"filter parameter too long (used={len(value) + 1}, available={_WIDEST})")
            return value


def _number(entry: Entry, text: str) -> int:
    if entry.type == "PORT" and not text.isdigit():
        if not text:
            return 0
        import socket

        try:
            return socket.getservbyname(text)
        except (OSError, ValueError):
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
        pattern = re2.compile(as_bytes(text), options)
    except re2.error as error:
        raise EvaluationError(f"invalid regex pattern: {error}") from None
    return lambda value: pattern.fullmatch(value.decode("utf-8", "replace").encode()) is not None


def _path_prefix(text: str) -> Callable[[bytes], bool]:
    wanted = [matcher(part) for part in as_bytes(text).split(b"/") if part]

    def matches(value: bytes) -> bool:
        parts = [part for part in value.split(b"/") if part]
        return len(parts) >= len(wanted) and all(test(part) for test, part in zip(wanted, parts, strict=False))

    return matches


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def reader(entry: Entry) -> Callable[[Any], Sequence[Any]]:
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
    if isinstance(value, str):
        return (value.encode("utf-8", "surrogateescape"),)
    if isinstance(value, list):
        return [as_bytes(str(item)) for item in value]
    if isinstance(value, bool):
        return (b"true" if value else b"false",)
    return (as_bytes(str(value)),)
