"""The cluster's DNS: A and CNAME records of one zone, everything else unknown.

Source: RFC 1035; the names are those of the Kubernetes DNS specification.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

ZONE = "cluster.local"

_A, _CNAME, _AAAA, _ANY = 1, 5, 28, 255
_IN = 1
_NO_ERROR, _FORMAT_ERROR, _NO_SUCH_NAME, _REFUSED = 0, 1, 3, 5
_RESPONSE, _AUTHORITATIVE, _RECURSION = 0x8000, 0x0400, 0x0080
_KEPT_FLAGS = 0x7900
_TTL = 5
_NAME_MAX = 255
_POINTER = 0xC0
_POD_NAME = re.compile(r"(\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3})\.[a-z0-9-]+\.pod\." + re.escape(ZONE))


def answer(query: bytes, names: Mapping[str, tuple[str, ...]], aliases: Mapping[str, str]) -> bytes | None:
    """The reply to a query; None for what is no query at all.

    Args:
        query: the datagram.
        names: A records: dotted addresses by lower-case name without the final dot.
        aliases: CNAME records.
    """
    if len(query) < 12 or query[2] & 0x80:  # noqa: PLR2004 - a header without a question; a response
        return None
    identifier, flags, questions = struct.unpack_from("!HHH", query)
    try:
        name, end = _read_name(query, 12)
        kind, family = struct.unpack_from("!HH", query, end)
    except (IndexError, struct.error, UnicodeDecodeError):
        return struct.pack("!HHHHHH", identifier, flags & _KEPT_FLAGS | _RESPONSE | _FORMAT_ERROR, 0, 0, 0, 0)
    question = query[12 : end + 4]
    code, records = _NO_SUCH_NAME, list[bytes]()
    if questions != 1 or family != _IN:
        code = _REFUSED
    else:
        known, records = _records(name.lower(), kind, names, aliases)
        code = _NO_ERROR if known else _NO_SUCH_NAME
    head = flags & _KEPT_FLAGS | _RESPONSE | _AUTHORITATIVE | _RECURSION | code
    return struct.pack("!HHHHHH", identifier, head, 1, len(records), 0, 0) + question + b"".join(records)


def _records(
    name: str, kind: int, names: Mapping[str, tuple[str, ...]], aliases: Mapping[str, str]
) -> tuple[bool, list[bytes]]:
    """Whether the name exists, and its records of the wanted kind."""
    if name in aliases:
        target = b"".join(bytes([len(part)]) + part.encode() for part in aliases[name].split(".")) + b"\0"
        return True, [_record(_CNAME, target)]
    found = names.get(name)
    if found is None and (pod := _POD_NAME.fullmatch(name)):
        found = (pod[1].replace("-", "."),)
    if found is None:
        # A name that has names below it exists, without records of its own.
        return any(known.endswith("." + name) for known in names), []
    wanted = found if kind in {_A, _ANY} else ()
    return True, [_record(_A, bytes(map(int, address.split(".")))) for address in wanted]


def _record(kind: int, data: bytes) -> bytes:
    return struct.pack("!HHHIH", _POINTER << 8 | 12, kind, _IN, _TTL, len(data)) + data


def _read_name(message: bytes, at: int) -> tuple[str, int]:
    parts: list[str] = []
    while length := message[at]:
        if length & _POINTER or at - 12 > _NAME_MAX:
            raise IndexError
        parts.append(message[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    return ".".join(parts), at + 1
