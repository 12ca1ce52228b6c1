"""Marks of what must not be told: by them a secret, or a line that may hold one, is known again and not read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from aegis.model.security import secret_mark

_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Makes marks.

    Attributes:
        base: the folder in which files lie.
        salt: of this installation.
    """

    base: Path
    salt: str = field(repr=False)

    def of_text(self, text: str) -> str:
        """The mark of a text; empty for none."""
        return secret_mark(text, salt=self.salt) if text else ""

    def of_file(self, name: str, offset: int, length: int) -> str:
        """The mark of a part of a file, which a report places but does not tell; empty where it cannot be read.

        Args:
            name: relative to the base.
            offset: in bytes.
            length: the same.
        """
        file = self.base / name
        if offset < 0 or length <= 0 or not file.resolve().is_relative_to(self.base.resolve()):
            return ""
        try:
            with file.open("rb") as stream:
                stream.seek(offset)
                return self.of_text(stream.read(min(length, _LIMIT)).decode("latin-1"))
        except OSError:
            return ""
