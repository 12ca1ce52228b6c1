"""Text of strangers (names, descriptions, URLs, what tools say) made fit for documents that others parse and show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

MOST: Final = 16_384
"""Characters of one text; more is cut, and says so."""
_DEEPEST: Final = 32
_HOSTILE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, ESC and CSI among them; tab and line feed stay
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # these turn the direction of the text round
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"  # what UTF-8 or XML cannot hold
)
_LINK: Final = re.compile(r"https?://[^\s<>\"'{}|\\^`]{1,2000}")


def clean(text: object, most: int = MOST) -> str:
    """A text without what terminals obey, UTF-8 cannot hold or XML forbids, and of bounded length."""
    words = str(text)
    cut = words if len(words) <= most else words[: most - 1] + "…"
    return _HOSTILE.sub("\N{REPLACEMENT CHARACTER}", cut)


def line(text: object, most: int = 300) -> str:
    """The same, as one line."""
    return clean(" ".join(str(text)[: 4 * most].split()), most)


def cleaned(value: Any, _depth: int = 0) -> Any:
    """A JSON value of which every text and key is clean, and no branch deeper than is sane."""
    if isinstance(value, str):
        return clean(value)
    if _depth > _DEEPEST and isinstance(value, Mapping | list | tuple):
        return "…"
    if isinstance(value, Mapping):
        return {clean(key, 1000): cleaned(item, _depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(item, _depth + 1) for item in value]
    return value


def link(text: str) -> str:
    """The text if it is a plain URL of the web, else nothing."""
    return text if _LINK.fullmatch(text) else ""
