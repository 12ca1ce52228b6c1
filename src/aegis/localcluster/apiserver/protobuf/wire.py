"""The wire format of protocol buffers: tags, varints and length-delimited fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_MOST_BITS = 64
_SIGN, _WRAP = 1 << 63, 1 << 64

Value = int | bytes


class WireError(ValueError):
    """The bytes are no message."""


def read(data: bytes) -> Iterator[tuple[int, int, Value]]:
    """The fields of a message: number, wire type and raw value.

    Raises:
        WireError: the bytes are no message.
    """
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, at = _varint(data, at)
        elif kind in {FIXED64, FIXED32}:
            size = 8 if kind == FIXED64 else 4
        else:
            raise WireError(f"wire type {kind} is not used")
        if at + size > len(data):
            raise WireError("a field ends beyond its message")
        yield number, kind, data[at : at + size]
        at += size


def signed(value: int) -> int:
    """A varint as the two's complement of an int64."""
    return value - _WRAP if value >= _SIGN else value


def field(number: int, value: bytes | str | int) -> bytes:
    """One field; the zero values of numbers and booleans, and nothing else, encode to nothing."""
    if isinstance(value, int):
        return _encoded(number << 3 | VARINT) + _encoded(value) if value else b""
    raw = value.encode() if isinstance(value, str) else value
    return _encoded(number << 3 | BYTES) + _encoded(len(raw)) + raw


def message(fields: Iterable[bytes]) -> bytes:
    """A message of these fields."""
    return b"".join(fields)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return result, at
        shift += 7
        if shift >= _MOST_BITS + 6:
            break
    raise WireError("a varint does not end")


def _encoded(value: int) -> bytes:
    value &= _WRAP - 1
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
