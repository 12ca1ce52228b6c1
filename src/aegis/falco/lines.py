r"""Alerts of a large file: most lines are passed over without being parsed, and none is that might be asked for.

What is searched for is a plain word: a namespace (`[a-z0-9-]`) or a rule of harmless characters. JSON has one way only to
write such a word other than as it is in quotes, `\uXXXX`; a line of text has none. So a line with neither the word nor
`\u` cannot match, whatever its layout; every other one is parsed. Memory is a block and one line.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

import msgspec

from aegis.falco.alert import LONGEST_LINE, Alert, parse_alert, parse_moment
from aegis.falco.priority import Priority
from aegis.falco.query import AlertQuery

_BLOCK: Final = 1 << 20
_PLAIN: Final = re.compile(r"[A-Za-z0-9 _.,:-]{2,256}", re.ASCII)
"""Words that JSON writes as they are, or by `\\uXXXX`."""
_TEXT: Final = re.compile(rb"\n[^{\n]")
_MANY: Final = 150
"""Lines of a block that have the word but not as a value: beyond, looking for text costs less than looking at them."""
_BACKSLASH: Final = b"\\"
_ESCAPED: Final = b"\\u"


def alerts_in(file: BinaryIO, query: AlertQuery) -> Iterator[Alert]:
    """The alerts of a file that are asked for, in its order; lines that are no alert are passed over.

    Args:
        file: opened for bytes, unbuffered for speed.
        query: which; with a namespace or a rule the file is read at the speed of a search for it.
    """
    word = next((one for one in (query.namespace, query.rule) if one and _PLAIN.fullmatch(one)), "").encode()
    for line in _lines_with(file, word) if word else _lines(file):
        if _surely_not(line, query):
            continue
        alert = parse_alert(line)
        if alert is not None and query.matches(alert):
            yield alert


def _lines(file: BinaryIO) -> Iterator[bytes]:
    for buffer, end in _blocks(file):
        yield from bytes(memoryview(buffer)[:end]).split(b"\n")


def _lines_with(file: BinaryIO, word: bytes) -> Iterator[bytes]:
    """The lines that may have the word as a value.

    A word that is common elsewhere is searched for in quotes, where no line of text can have it without.
    """
    quoted, strays = b'"%b"' % word, 0
    for buffer, end in _blocks(file):
        if strays > _MANY and not _holds_text(buffer, end):
            needle = quoted
        else:
            needle, strays = word, 0
        for start, stop in _candidates(buffer, end, needle):
            line = bytes(memoryview(buffer)[start:stop])
            if needle is word and _is_stray(line, quoted):
                strays += 1
            else:
                yield line


def _blocks(file: BinaryIO) -> Iterator[tuple[bytearray, int]]:
    """The file in pieces that end with a line break: the same buffer again and again, and how much of it counts."""
    buffer = bytearray(_BLOCK + LONGEST_LINE)
    view, kept, too_long = memoryview(buffer), 0, False
    while count := file.readinto(view[kept : kept + _BLOCK]):  # type: ignore[attr-defined]  # every raw and buffered file
        filled = kept + count
        begin = buffer.find(b"\n", 0, filled) + 1 if too_long else 0
        end = buffer.rfind(b"\n", 0, filled) + 1
        if too_long and not begin:
            kept = 0
            continue
        if begin:
            buffer[: begin - 1] = b" " * (begin - 1)  # what is left of a line that was too long
        if end:
            yield buffer, end
        kept, too_long = filled - end, False
        if kept > LONGEST_LINE:
            kept, too_long = 0, True
        view[:kept] = bytes(view[end : end + kept])
    if kept and not too_long:
        buffer[kept : kept + 1] = b"\n"
        yield buffer, kept + 1


def _holds_text(buffer: bytearray, end: int) -> bool:
    """Whether some line is no JSON object: then the word may stand there without quotes."""
    return not buffer.startswith(b"{") or _TEXT.search(buffer, 0, end) is not None


def _candidates(buffer: bytearray, end: int, word: bytes) -> Iterator[tuple[int, int]]:
    """The lines with the word, or with an escape that may hide it; each once, in order."""
    find = _finder(buffer, word)
    hit, escape, start = find(0, end), _escaped(buffer, 0, end), 0
    while hit >= 0 or escape >= 0:
        first = hit if escape < 0 or 0 <= hit < escape else escape
        start, stop = buffer.rfind(b"\n", start, first) + 1 or start, buffer.find(b"\n", first, end)
        yield start, stop
        start = stop + 1
        if 0 <= hit < start:
            hit = find(start, end)
        if 0 <= escape < start:
            escape = _escaped(buffer, start, end)


def _escaped(buffer: bytearray, start: int, end: int) -> int:
    r"""Where the next `\u` is, or -1: backslashes are rare, and a single byte is found ten times as fast as two."""
    while (at := buffer.find(_BACKSLASH, start, end)) >= 0:
        stop = buffer.find(b"\n", at, end)
        found = buffer.find(_ESCAPED, at, stop)
        if found >= 0:
            return found
        start = stop + 1
    return -1


# ── the fastest search that the machine has ──────────────────────────────────────────────────────────────────────────


def _memmem() -> Any:
    """The C library's own, which is three times as fast as that of bytes; None where it has none."""
    try:
        function = ctypes.CDLL(None).memmem
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_void_p
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    return function


_MEMMEM: Final = _memmem()


def _finder(buffer: bytearray, word: bytes) -> Callable[[int, int], int]:
    """A search for a word from one place of a buffer to another; -1 where it is not there."""
    if _MEMMEM is None:
        return lambda start, end: buffer.find(word, start, end)
    memmem, length = _MEMMEM, len(word)
    address = ctypes.addressof(ctypes.c_char.from_buffer(buffer))

    def find(start: int, end: int) -> int:
        found = memmem(address + start, end - start, word, length)
        return found - address if found else -1

    return find


# ── a first look ─────────────────────────────────────────────────────────────────────────────────────────────────────


class _Fields(msgspec.Struct):
    namespace: Any = msgspec.field(name="k8s.ns.name", default=None)


class _Head(msgspec.Struct):
    """The few members that most lines are told apart by; each of whatever type."""

    priority: Any = None
    rule: Any = None
    time: Any = None
    output_fields: _Fields | None = None


_DECODER: Final = msgspec.json.Decoder(_Head)


def _is_stray(line: bytes, quoted: bytes) -> bool:
    """Whether a line is JSON that has the word, but nowhere as a whole value."""
    return line.startswith(b"{") and quoted not in line and _ESCAPED not in line


def _surely_not(line: bytes, query: AlertQuery) -> bool:
    """Whether a line is JSON and certainly not asked for; where in doubt it is parsed whole."""
    try:
        head = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    if query.namespace and str(head.output_fields and head.output_fields.namespace) != query.namespace:
        return True
    if query.rule and head.rule != query.rule:
        return True
    priority = Priority.parse(str(head.priority))
    if priority is None or (query.priority is not None and not priority.at_least(query.priority)):
        return True
    return isinstance(head.time, str) and not query.spans(parse_moment(head.time))
