"""What was scanned already: kept by what was looked at, with what, and how. Never an error, never a name that may move.

A result is kept where its subject cannot change under its name (objects by their digest, an image by its digest or its
archive's), where its tool is known by version and digest, and, for an image, its database by its date.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from aegis.model.canonical import digest
from aegis.model.scan import Image, Manifests, ScanResult, Subject, Tool
from aegis.security.desk import ScanRules

_FORM = 1
"""Of what is kept; another is not read."""
_AGE = timedelta(days=7)
_ENTRY_BYTES = 16 << 20
_ENTRIES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    form: int
    key: str
    at: datetime
    result: ScanResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanCache:
    """A folder of results.

    Attributes:
        folder: made when something is first kept; its owner's alone.
    """

    folder: Path

    def find(self, key: str, *, now: datetime) -> ScanResult | None:
        """What is kept under a key; what cannot be read, is old, or stands under another name is as if it were not there."""
        try:
            with self._file(key).open("rb") as file:
                data = file.read(_ENTRY_BYTES + 1)
            entry = msgspec.json.decode(data, type=_Entry)
        except (OSError, msgspec.MsgspecError, ValueError):
            return None
        if entry.form != _FORM or entry.key != key or not entry.at <= now < entry.at + _AGE:
            return None
        note = f"as looked at {entry.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        coverage = replace(entry.result.coverage, notes=(*entry.result.coverage.notes, note))
        return replace(entry.result, coverage=coverage)

    def keep(self, key: str, result: ScanResult, *, now: datetime) -> None:
        """Keep a complete result; that nothing can be kept (a full disk, a folder that is read-only) is no failure."""
        if not result.status.complete:
            return
        data = msgspec.json.encode(_Entry(form=_FORM, key=key, at=now, result=result))
        if len(data) > _ENTRY_BYTES:
            return
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(self._file(key), data)
            self._forget()

    def _file(self, key: str) -> Path:
        return self.folder / f"{key.removeprefix('sha256:')}.json"

    def _write(self, file: Path, data: bytes) -> None:
        handle, name = tempfile.mkstemp(dir=self.folder, prefix="new-")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(data)
            Path(name).replace(file)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def _forget(self) -> None:
        """The oldest, where there are too many."""
        kept = sorted(self.folder.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in kept[_ENTRIES:]:
            file.unlink(missing_ok=True)


def subject_key(subject: Subject) -> str:
    """What stands for a subject that cannot change under its name; empty for any other."""
    match subject:
        case Manifests(objects=objects):
            return digest(["manifests", [dict(obj) for obj in objects]])
        case Image(layerless=why) if why:
            return ""
        case Image(archive=archive) if archive is not None:
            content = _content(archive)
            return digest(["archive", content, subject.reference, subject.platform]) if content else ""
        case Image(reference=reference) if "@sha256:" in reference:
            return digest(["image", reference, subject.platform])
        case _:
            return ""


def cache_key(subject: Subject, scanner: str, tool: Tool, rules: ScanRules) -> str:
    """Under which a result is kept; empty where it may not be."""
    what = subject_key(subject)
    known = tool.version and tool.digest and not tool.absent and not (isinstance(subject, Image) and not tool.database)
    if not what or not known:
        return ""
    return digest([_FORM, what, scanner, tool.to_dict(), repr(rules)])


def same_tool(one: Tool, other: Tool) -> bool:
    """Whether it is one tool with one database, whatever it says of itself otherwise."""
    return (one.version, one.digest, one.database) == (other.version, other.digest, other.database)


def _content(archive: Path) -> str:
    """The digest of an archive; empty where it cannot be read, or is no file."""
    try:
        with archive.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
