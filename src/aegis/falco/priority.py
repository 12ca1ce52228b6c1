"""Falco's eight priorities, the names of syslog's levels (RFC 5424, table 2)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Priority(IntEnum):
    """How grave an alert is; the lower the number the graver, as syslog counts."""

    EMERGENCY = 0
    ALERT = 1
    CRITICAL = 2
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFORMATIONAL = 6
    DEBUG = 7

    @classmethod
    def parse(cls, word: str) -> Priority | None:
        """The priority of this name, in any case (`info` is Informational); None for any other word."""
        return _BY_WORD.get(word.lower())

    def at_least(self, threshold: Priority) -> bool:
        """Whether it is as grave as a threshold, or graver."""
        return self <= threshold

    @property
    def word(self) -> str:
        """As Falco writes it: `Informational`."""
        return self.name.capitalize()


_BY_WORD: Final = {priority.name.lower(): priority for priority in Priority} | {"info": Priority.INFORMATIONAL}
