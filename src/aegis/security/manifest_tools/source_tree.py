"""The files of a folder that can do harm in a cluster: manifests, Dockerfiles and shell scripts; within bounds.

Links are not followed, and nothing that is no plain file is opened: the folder may be a stranger's.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Final

from aegis.security.manifest_tools.shell import is_script

FILES_LIMIT: Final = 5_000
ENTRIES_LIMIT: Final = 200_000
FILE_BYTES: Final = 4 << 20
TREE_BYTES: Final = 64 << 20
_HEAD: Final = 128

_DOCKERFILE: Final = re.compile(r"(?i)(?:.*[.-])?(?:docker|container)file(?:[.-].*)?\Z")
_MANIFEST: Final = re.compile(r"(?i).*\.ya?ml\Z|.*\.json\Z")
_SHELL: Final = re.compile(r"(?i).*\.(?:sh|bash|ksh|zsh)\Z")
_NEVER: Final = frozenset({".git", ".hg", ".svn"})


class FileKind(StrEnum):
    """What a file is read as."""

    MANIFEST = "manifest"
    DOCKERFILE = "Dockerfile"
    SHELL = "shell"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One file.

    Attributes:
        name: relative to the folder, with `/`.
        kind: what it is read as.
        data: its bytes; empty where it was not read.
        trouble: why it was not; empty where it was.
    """

    name: str
    kind: FileKind
    data: bytes = b""
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTree:
    """All such files of a folder, and what limits the look.

    Attributes:
        files: by name.
        trouble: why not all were found; empty where they were.
    """

    files: tuple[SourceFile, ...]
    trouble: str = ""


def read_tree(root: Path) -> SourceTree:
    """Read a folder, or one file, whatever its name.

    Raises:
        OSError: if it is not there, or may not be read.
    """
    if not root.is_dir():
        only = _kind(root.name, root) or FileKind.SHELL
        return SourceTree(files=(_read(root, root.name, only, FILE_BYTES),))
    files: list[SourceFile] = []
    room = TREE_BYTES
    for count, (entry, name) in enumerate(_walk(root)):
        if count >= ENTRIES_LIMIT or len(files) >= FILES_LIMIT:
            limit = f"more than {FILES_LIMIT:,} files to look at, or {ENTRIES_LIMIT:,} in all"
            return SourceTree(files=tuple(files), trouble=f"{root} holds {limit}: name a smaller folder")
        kind = _kind(entry.name, Path(entry.path)) if entry.is_file(follow_symlinks=False) else None
        if kind is not None:
            file = _read(Path(entry.path), name, kind, room)
            room -= len(file.data)
            files.append(file)
    return SourceTree(files=tuple(files))


def _walk(root: Path) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Plain files and folders below a folder, in the order of their names.

    Raises:
        OSError: if a folder cannot be read.
    """
    waiting = [(root, "")]
    while waiting:
        folder, prefix = waiting.pop()
        with os.scandir(folder) as entries:
            here = sorted(entries, key=lambda entry: entry.name)
        folders = [item for item in here if item.is_dir(follow_symlinks=False) and item.name not in _NEVER]
        waiting += [(Path(item.path), f"{prefix}{item.name}/") for item in reversed(folders)]
        yield from ((item, f"{prefix}{item.name}") for item in here if not item.is_symlink())


def _kind(name: str, path: Path) -> FileKind | None:
    if _DOCKERFILE.match(name):
        return FileKind.DOCKERFILE
    if _MANIFEST.match(name):
        return FileKind.MANIFEST
    if _SHELL.match(name):
        return FileKind.SHELL
    if "." in name:
        return None
    try:
        with _open(path) as file:
            head = os.read(file.fileno(), _HEAD)
    except OSError:
        return None
    return FileKind.SHELL if is_script(head.decode("latin-1")) else None


def _read(path: Path, name: str, kind: FileKind, room: int) -> SourceFile:
    limit = min(FILE_BYTES, room)
    try:
        with _open(path) as file:
            data = file.read(limit + 1)
    except OSError as error:
        return SourceFile(name=name, kind=kind, trouble=f"it cannot be read: {error.strerror or error}")
    if len(data) > limit:
        return SourceFile(name=name, kind=kind, trouble=f"it is larger than the {limit:,} bytes that are left to read")
    return SourceFile(name=name, kind=kind, data=data)


def _open(path: Path) -> IO[bytes]:
    """A plain file, for reading; never a link, a device or a pipe.

    Raises:
        OSError: if it is none, or may not be read.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path} is no plain file")
    return os.fdopen(handle, "rb")
