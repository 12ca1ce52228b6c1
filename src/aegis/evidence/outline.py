"""Indented text as a tree: how `kubectl describe` prints an object.

Tolerant, since such text is pasted and edited by hand: a line belongs to the nearest line above that is indented less.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

_FIELD: Final = re.compile(r"^([A-Za-z0-9#][^:]{0,80}?):(?:\s+(.*))?$")
_NOTHING: Final = frozenset({"", "<none>", "<unset>", "<nil>", "<unknown>"})
_MOST_LINES: Final = 200_000


@dataclass(slots=True)
class Line:
    """One line with what is indented below it.

    Attributes:
        text: without its indentation.
        indent: in columns.
    """

    text: str
    indent: int
    children: list[Line] = field(default_factory=list)

    @property
    def key(self) -> str:
        """What stands before the colon; empty where there is none."""
        match = _FIELD.match(self.text)
        return match[1].strip() if match else ""

    @property
    def value(self) -> str:
        """What stands behind the colon; empty also for `<none>`."""
        match = _FIELD.match(self.text)
        value = (match[2] or "").strip() if match else ""
        return "" if value in _NOTHING else value

    def child(self, *keys: str) -> Line:
        """The line below with one of these keys (in any case); an empty line where there is none."""
        wanted = {key.lower() for key in keys}
        return next((line for line in self.children if line.key.lower() in wanted), Line(text="", indent=0))

    def text_of(self, *keys: str) -> str:
        """The value of the line below with one of these keys."""
        return self.child(*keys).value

    def pairs(self, *keys: str) -> dict[str, str]:
        """`a=b` or `a: b` entries of a field, those that go on below it included."""
        line = self.child(*keys)
        texts = [line.value, *(child.text for child in line.children)]
        found = (re.match(r"^([^=\s]+?)(?:=|:\s+)(.*)$", text) for text in texts if text not in _NOTHING)
        return {match[1]: match[2] for match in found if match}

    def words(self, *keys: str) -> list[str]:
        """The lines below a field, or its value taken apart at commas."""
        line = self.child(*keys)
        if line.children:
            return [child.text for child in line.children]
        return [word.strip() for word in line.value.split(",") if word.strip()]


def outlines(text: str) -> Iterator[Line]:
    """The described objects of a text: each begins with `Name:` at the left."""
    root: Line | None = None
    stack: list[Line] = []
    for raw in text.expandtabs(8).splitlines()[:_MOST_LINES]:
        bare = raw.strip()
        if not bare:
            continue
        indent = len(raw) - len(raw.lstrip())
        line = Line(text=bare, indent=indent)
        if indent == 0 and line.key == "Name":
            if root is not None:
                yield root
            root = Line(text="", indent=-1)
            stack = [root]
        if root is None:
            continue
        while len(stack) > 1 and stack[-1].indent >= indent:
            stack.pop()
        stack[-1].children.append(line)
        stack.append(line)
    if root is not None:
        yield root


def time_text(value: str) -> str | None:
    """An RFC 3339 time for `Tue, 26 Nov 2024 12:38:55 +0100`; None where it is none."""
    try:
        found = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError):
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found.astimezone(UTC).isoformat().replace("+00:00", "Z") if found.year > 1 else None
