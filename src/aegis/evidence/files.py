"""Walks a folder of recorded evidence: bounded, and never out of it.

Only regular files are read; a link counts only if what it points to lies inside the same folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOST_FILES: Final = 20_000
MOST_BYTES: Final = 64 * 1024 * 1024
"""Of one file."""
MOST_BYTES_IN_ALL: Final = 512 * 1024 * 1024
DEEPEST: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """A file that was read.

    Attributes:
        path: where it was found.
        parts: the folders and the name below the path that was asked for.
        text: its content; bytes that are no UTF-8 are replaced.
    """

    path: Path
    parts: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A file that was not read, and why."""

    path: Path
    why: str


def read_files(paths: Iterable[Path]) -> Iterator[TextFile | Unread]:
    """Every file under the paths, in the order of their names."""
    files = 0
    total = 0
    for root in paths:
        for found in _walk(root):
            if isinstance(found, Unread):
                yield found
                continue
            files += 1
            if files > MOST_FILES:
                yield Unread(path=root, why=f"more than {MOST_FILES} files: the rest was left out")
                return
            item = _read(found, root, MOST_BYTES_IN_ALL - total)
            if isinstance(item, TextFile):
                total += len(item.text)
            yield item


def _walk(root: Path) -> Iterator[Path | Unread]:
    if not root.exists():
        yield Unread(path=root, why="it is not there")
        return
    if not root.is_dir():
        yield root
        return
    inside = root.resolve()
    yield from _entries(root, inside, 0)


def _entries(folder: Path, inside: Path, depth: int) -> Iterator[Path | Unread]:
    if depth > DEEPEST:
        yield Unread(path=folder, why=f"nested deeper than {DEEPEST} folders")
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        yield Unread(path=folder, why=error.strerror or "it cannot be opened")
        return
    for entry in entries:
        if entry.is_symlink() and not _stays(entry, inside):
            yield Unread(path=entry, why="a link that leads out of the folder")
        elif entry.is_dir() and not entry.is_symlink():
            yield from _entries(entry, inside, depth + 1)
        elif not entry.is_dir():
            yield entry


def _stays(link: Path, inside: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(inside)
    except (OSError, RuntimeError):
        return False


def _read(path: Path, root: Path, left: int) -> TextFile | Unread:
    try:
        if not path.is_file():
            return Unread(path=path, why="it is no ordinary file")
        size = path.stat().st_size
        if size > min(MOST_BYTES, left):
            return Unread(path=path, why=f"too large ({size} bytes)")
        with path.open("rb") as stream:
            content = stream.read(min(MOST_BYTES, left) + 1)
    except OSError as error:
        return Unread(path=path, why=error.strerror or "it cannot be read")
    if b"\0" in content[:4096]:
        return Unread(path=path, why="it holds no text")
    parts = path.relative_to(root).parts if root.is_dir() else (path.name,)
    return TextFile(path=path, parts=parts, text=content.decode("utf-8", "replace"))
