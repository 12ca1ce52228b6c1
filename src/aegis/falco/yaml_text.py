"""Single values as YAML: plain where no reader could take them for anything else, else in double quotes.

Source: YAML 1.2.2, sections 5.7 (escapes) and 7.3.3 (plain style), read as PyYAML and yaml-cpp do.
"""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+-]+)*", re.ASCII)
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}


def scalar(text: str) -> str:
    """A string as one value, also within `[…]`.

    Raises:
        ValueError: it holds half a surrogate pair, which no YAML can.
    """
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return f'"{"".join(map(_written, text))}"'


def _written(character: str) -> str:
    code = ord(character)
    if character in _ESCAPES:
        return _ESCAPES[character]
    if 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004 - the surrogates of UTF-16
        raise ValueError("half a surrogate pair cannot be written as YAML")
    if character.isprintable():
        return character
    return f"\\x{code:02x}" if code < 1 << 8 else f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"
