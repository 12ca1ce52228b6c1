"""Shell patterns over bytes, as Falco's `glob` and `iglob` match them: fnmatch(3) without flags, in the C locale.

`*` crosses slashes, a character of two bytes needs `??`, and only ASCII letters have two cases. The matching takes time
in proportion to the product of both lengths at most.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

_CLASSES: dict[bytes, Callable[[int], bool]] = {
    b"alnum": lambda byte: chr(byte).isascii() and chr(byte).isalnum(),
    b"alpha": lambda byte: chr(byte).isascii() and chr(byte).isalpha(),
    b"blank": lambda byte: byte in b" \t",
    b"cntrl": lambda byte: byte < 32 or byte == 127,  # noqa: PLR2004 - ASCII
    b"digit": lambda byte: byte in b"0123456789",
    b"graph": lambda byte: 32 < byte < 127,  # noqa: PLR2004 - ASCII
    b"lower": lambda byte: byte in b"abcdefghijklmnopqrstuvwxyz",
    b"print": lambda byte: 31 < byte < 127,  # noqa: PLR2004 - ASCII
    b"punct": lambda byte: 32 < byte < 127 and not chr(byte).isalnum(),  # noqa: PLR2004 - ASCII
    b"space": lambda byte: byte in b" \t\n\v\f\r",
    b"upper": lambda byte: byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    b"xdigit": lambda byte: byte in b"0123456789abcdefABCDEF",
}

Step = frozenset[int] | None
"""The bytes that one place may hold; None for any number of any bytes."""

_ANY = frozenset(range(256))
_NOTHING = frozenset[int]()


@functools.lru_cache(4096)
def matcher(pattern: bytes, *, ignore_case: bool = False) -> Callable[[bytes], bool]:
    """A function that tells whether a text matches."""
    steps = _steps(pattern, ignore_case=ignore_case)

    def matches(text: bytes) -> bool:
        return steps is not None and _walk(steps, text)

    return matches


def _walk(steps: list[Step], text: bytes) -> bool:
    at = here = 0
    star, resume = -1, 0
    while here < len(text):
        step = steps[at] if at < len(steps) else frozenset[int]()
        if step is None:
            star, resume, at = at, here, at + 1
        elif text[here] in step:
            at, here = at + 1, here + 1
        elif star >= 0:
            resume += 1
            at, here = star + 1, resume
        else:
            return False
    return all(step is None for step in steps[at:])


def _steps(pattern: bytes, *, ignore_case: bool) -> list[Step] | None:
    """The pattern taken apart; None where nothing can match it."""
    steps: list[Step] = []
    at = 0
    while at < len(pattern):
        byte = pattern[at : at + 1]
        if byte == b"*":
            steps += [None] if steps[-1:] != [None] else []
            at += 1
        elif byte == b"?":
            steps.append(_ANY)
            at += 1
        elif byte == b"[":
            step, at = _bracket(pattern, at, ignore_case=ignore_case)
            steps.append(step)
        elif pattern[at:] == b"\\":
            return None
        else:
            literal, at = _member(pattern, at)
            steps.append(_cased(literal) if ignore_case else frozenset({literal}))
    return steps


def _bracket(pattern: bytes, opened: int, *, ignore_case: bool) -> tuple[frozenset[int], int]:
    """The bytes that a bracket expression stands for and where the pattern goes on.

    One that is never closed is a literal bracket, as glibc has it; but where it ends behind a backslash nothing matches
    it, and where it ends within a range only if a bracket is among the members before that.
    """
    at = opened + 1
    negated = pattern[at : at + 1] in {b"!", b"^"}
    at += negated
    found: set[int] = set()
    first = True
    while True:
        byte = pattern[at : at + 1]
        if not byte:
            return frozenset(b"["), opened + 1
        if byte == b"]" and not first:
            break
        first = False
        end = pattern.find(b":]", at + 2)
        if pattern[at : at + 2] == b"[:" and end > 0 and pattern[at + 2 : end] in _CLASSES:
            found.update(filter(_CLASSES[pattern[at + 2 : end]], range(256)))
            at = end + 2
            continue
        if pattern[at:] == b"\\":
            return _NOTHING, len(pattern)
        low, at = _member(pattern, at)
        if pattern[at : at + 1] == b"-" and pattern[at + 1 : at + 2] != b"]":
            if pattern[at + 1 :] in {b"", b"\\"}:
                before = found if pattern[at + 1 :] else {*found, low}
                return frozenset(b"[") & before, opened + 1
            high, at = _member(pattern, at + 1)
            found.update(range(low, high + 1))
        else:
            found.add(low)
    if ignore_case:
        found = {cased for member in found for cased in _cased(member)}
    return _ANY - found if negated else frozenset(found), at + 1


def _member(pattern: bytes, at: int) -> tuple[int, int]:
    if pattern[at : at + 1] == b"\\" and at + 1 < len(pattern):
        at += 1
    return pattern[at], at + 1


def _cased(byte: int) -> frozenset[int]:
    letter = bytes([byte])
    return frozenset(letter.lower() + letter.upper())
