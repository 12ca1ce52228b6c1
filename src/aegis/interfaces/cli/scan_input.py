"""What `aegis scan` is given to read: files, folders, stdin. Everything is bounded, and what cannot be read is named."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aegis.errors import UsageError

if TYPE_CHECKING:
    from aegis.security.canonical import Canonical

STDIN: Final = "-"
_MANIFESTS_MOST: Final = 5_000
_SOURCES_MOST: Final = 50_000
"""Of which few are manifests."""
_KINDS: Final = frozenset({".yaml", ".yml", ".json"})
_LEFT_OUT: Final = frozenset({".git", ".venv", "node_modules", "__pycache__"})
_TEMPLATE: Final = (b"{{", b"{%")


def manifests(names: Iterable[str]) -> Canonical:
    """The objects of files, of all files of folders that end as manifests do, and of stdin (`-`), in their order.

    Raises:
        UsageError: if one cannot be read, or in more than one way (a key that stands twice), or if there is no object.
    """
    from aegis.security.canonical import canonicalise, together

    asked = list(names)
    if not asked:
        raise UsageError("no manifest is named", hint="Give files, folders, or - for stdin.")
    parts = [canonicalise(_read(path), source=shown(path)) for name in asked for path in _files(name)]
    whole = together(parts)
    if not whole.objects:
        raise UsageError(
            f"no object of Kubernetes in {', '.join(asked)}", hint="Give YAML or JSON as kubectl takes it."
        )
    return whole


def manifests_within(folder: Path) -> tuple[Canonical, tuple[str, ...]]:
    """The objects among the files of a folder of sources, and which files look like manifests and are none.

    Files of other kinds (values, workflows) are passed over; templates too, since they are no YAML yet.

    Raises:
        UsageError: if a file cannot be read.
    """
    from aegis.security.canonical import canonicalise, together
    from aegis.security.strict_yaml import NotCanonical

    parts, unread = [], []
    for path in _walk(folder, _SOURCES_MOST) if folder.is_dir() else [folder]:
        data = _read(path)
        if b"apiVersion" not in data or b"kind" not in data:
            continue
        try:
            parts.append(canonicalise(data, source=shown(path)))
        except NotCanonical as error:
            template = any(mark in data for mark in _TEMPLATE)
            unread.append(f"{shown(path)}: a template, not rendered" if template else error.message)
    return together(parts), tuple(unread)


def shown(path: Path) -> str:
    """The path as reports name it: relative to the working folder where it lies within, with `/`."""
    if str(path) == STDIN:
        return "stdin"
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - a link stays what it is called
    here = Path.cwd()
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else path).as_posix()


def within_repository() -> str:
    """The working folder as seen from the root of its git repository; empty at the root, and where there is none."""
    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    found = here.relative_to(root).as_posix()
    return "" if found == "." else found


def _files(name: str) -> list[Path]:
    path = Path(name)
    if name == STDIN or not path.is_dir():
        return [path]
    found = list(_walk(path, _MANIFESTS_MOST))
    if not found:
        raise UsageError(f"no manifest in {name}", hint="Manifests end in .yaml, .yml or .json.")
    return found


def _walk(folder: Path, most: int) -> Iterator[Path]:
    """The files of a folder that may be manifests, sorted; links to folders are not followed, pipes and devices left out.

    Raises:
        UsageError: if there are too many, or a folder cannot be read.
    """
    paths = (Path(at) / name for at, names in _folders(folder) for name in sorted(names))
    for number, path in enumerate(path for path in paths if _may_be_manifest(path)):
        if number == most:
            raise UsageError(f"{folder} holds more than {most} manifests", hint="Name fewer.")
        yield path


def _may_be_manifest(path: Path) -> bool:
    """By its name; a link that leads nowhere too, so that it is told, but nothing that could be waited at for ever."""
    return path.suffix.lower() in _KINDS and (path.is_file() or not path.exists())


def _folders(folder: Path) -> Iterator[tuple[str, list[str]]]:
    def fail(error: OSError) -> None:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from error

    for at, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(set(folders) - _LEFT_OUT)
        yield at, names


def _read(path: Path) -> bytes:
    from aegis.security.strict_yaml import BYTES_LIMIT

    if str(path) == STDIN:
        return sys.stdin.buffer.read(BYTES_LIMIT + 1)
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) and not stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"cannot read {path}: it is no file")
            return file.read(BYTES_LIMIT + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
