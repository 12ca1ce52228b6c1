"""A Dockerfile as its builder reads it: one instruction a line, in capitals, without comments. Pure.

Source: the Dockerfile reference: comments are whole lines, also between continued ones; a directive at the top may
name another character for continued lines; a here-document belongs to its instruction; `FROM` may name an earlier stage.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_DIRECTIVE: Final = re.compile(r"#\s*(\w+)\s*=\s*(\S+)\s*\Z")
_HEREDOC: Final = re.compile(r"<<-?\s*([\"']?)(\w+)\1")
_STAGE: Final = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)(?:\s+[Aa][Ss]\s+(\S+))?", re.IGNORECASE)
_TAKES_HEREDOC: Final = frozenset({"RUN", "COPY", "ADD"})
STAGE: Final = "FROM-STAGE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction.

    Attributes:
        word: as `RUN`.
        rest: what follows it, on one line.
        script: the same with its line breaks, for what runs it.
        line: its first line, from 1.
    """

    word: str
    rest: str
    script: str
    line: int

    @property
    def text(self) -> str:
        """The whole, on one line."""
        return f"{self.word} {self.rest}".rstrip()


def instructions(text: str) -> Iterator[Instruction]:
    """All instructions in their order; `FROM` of an earlier stage is called FROM-STAGE."""
    rows = text.removeprefix("\ufeff").splitlines()
    escape = _escape(rows)
    stages: set[str] = set()
    row = 0
    while row < len(rows):
        while row < len(rows) and rows[row].strip()[:1] in ("", "#"):
            row += 1
        start = row
        parts, row = _continued(rows, row, escape)
        first, _, rest = " ".join(parts).strip().partition(" ")
        word = first.upper()
        if not word:
            continue
        body: list[str] = []
        if word in _TAKES_HEREDOC:
            body, row = _heredocs(rows, row, rest)
        script = "\n".join([_spoken(rest.strip()), *body])
        line = " ".join(rest.split())
        if word == "FROM" and (match := _STAGE.match(f"FROM {line}")):
            word = STAGE if match[1].lower() in stages else word
            stages |= {match[2].lower()} if match[2] else set()
        yield Instruction(word=word, rest=" ; ".join([line, *body]), script=script, line=start + 1)


def _spoken(rest: str) -> str:
    """What is run, where it is written as a list of words."""
    try:
        words = json.loads(rest) if rest.startswith("[") else rest
    except (ValueError, RecursionError):
        words = rest
    return " ".join(map(str, words)) if isinstance(words, list) else rest


def _escape(rows: list[str]) -> str:
    for row in rows:
        match = _DIRECTIVE.match(row.strip())
        if not match:
            break
        if match[1].lower() == "escape":
            return match[2]
    return "\\"


def _continued(rows: list[str], row: int, escape: str) -> tuple[list[str], int]:
    """The parts of one instruction, and the row after it; comments and, between parts, empty rows are passed over."""
    parts: list[str] = []
    while row < len(rows):
        line = rows[row].strip()
        row += 1
        if line.startswith("#") or (parts and not line):
            continue
        if not line.endswith(escape):
            return [*parts, line], row
        parts.append(line[: -len(escape)].strip())
    return parts, row


def _heredocs(rows: list[str], row: int, rest: str) -> tuple[list[str], int]:
    body: list[str] = []
    for match in _HEREDOC.finditer(rest):
        while row < len(rows) and rows[row].strip() != match[2]:
            body.append(rows[row].strip())
            row += 1
        row += 1
    return body, row
