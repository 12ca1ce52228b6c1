"""What a tool said, for a sentence; that what it said is no report; and that it did not answer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aegis.drivers import process
from aegis.model.scan import ScanStatus


class Failed(Exception):
    """A tool did not answer.

    Attributes:
        status: how the scan ended with that.
        reason: one sentence.
    """

    def __init__(self, status: ScanStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Unreadable(ValueError):
    """The answer of a tool is none."""


def shown(text: object, limit: int = 200) -> str:
    """What a tool wrote: on one line, without escapes and control characters, not longer than `limit` characters."""
    raw = text if isinstance(text, bytes | str) else str(text)
    line = " ".join(process.shown(raw, limit=4 * limit).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def listed(words: Iterable[str], most: int = 8) -> str:
    """Several words as one sentence, each once; the first of many and how many more."""
    each = list(dict.fromkeys(words))
    more = f"; and {len(each) - most} more" if len(each) > most else ""
    return "; ".join(each[:most]) + more


@contextmanager
def home_of(tool: str) -> Iterator[Path]:
    """An empty folder for a run of a tool; it is gone afterwards.

    Raises:
        Failed: if it cannot be made or written.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=f"aegis-{tool}-") as folder:
            yield Path(folder)
    except OSError as error:
        raise Failed(ScanStatus.ERROR, f"there is no room for {tool} to work in: {error}") from error
