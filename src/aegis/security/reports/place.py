"""Where a finding is shown: viewers of code want a file and a line."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from aegis.model.security import SecurityFinding
from aegis.security.reports.scan import Family, Place, Scan

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://+")


def place_of(scan: Scan, item: SecurityFinding) -> Place:
    """The file in which the faulty object is written; else the file that the scanner names; else what was scanned.

    A path is relative, with `/`, and leaves no folder: viewers take it for one within the repository.
    """
    written = scan.places.get(item.subject) or scan.places.get(replace(item.subject, namespace=""))
    if written is not None:
        return Place(file=relative(written.file), line=written.line)
    if item.file and scan.family is not Family.MANIFEST:
        return Place(file=relative(item.file), line=item.line)
    named = item.subject.name if scan.family is not Family.RUNTIME else _workload(item)
    return Place(file=relative(named or (scan.subjects or ("unknown",))[0]))


def relative(path: str) -> str:
    """A path or name without scheme, root and steps upwards."""
    bare = _SCHEME.sub("", path.replace("\\", "/"), count=1)
    parts = [part for part in PurePosixPath(bare).parts if part not in {"/", "//", "..", "."}]
    return "/".join(parts) or "unknown"


def _workload(item: SecurityFinding) -> str:
    return "/".join(filter(None, (item.subject.namespace, item.subject.kind, item.subject.name)))
