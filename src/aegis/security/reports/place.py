"""Where a finding is shown: viewers of code want a file and a line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from posixpath import join, normpath
from typing import Final

from aegis.model.security import SecurityFinding
from aegis.security.reports.scan import Family, Scan

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is written.

    Attributes:
        file: a relative path, with `/`, that leaves no folder: viewers take it for one within the repository.
        line: its first line, from 1; 0 where it is not known.
    """

    file: str
    line: int = 0


def place_of(scan: Scan, item: SecurityFinding) -> Place:
    """The file that the finding names, as its repository has it; else what was scanned: an image, a URL, a workload."""
    if item.file:
        path = item.file if item.file == "stdin" else normpath(join(scan.within, item.file))
        return Place(file=relative(path), line=item.line)
    parts = (item.subject.namespace, item.subject.kind, item.subject.name)
    named = "/".join(filter(None, parts)) if scan.family is Family.RUNTIME else item.subject.name
    return Place(file=relative(named or (scan.subjects or ("unknown",))[0]))


def relative(path: str) -> str:
    """A path or name without scheme, root and steps upwards."""
    bare = _SCHEME.sub("", path.replace("\\", "/"), count=1)
    parts = [part for part in PurePosixPath(bare).parts if part not in {"/", "//", "..", "."}]
    return "/".join(parts) or "unknown"
