"""Whether a trivy and its database may be believed. Pure, apart from reading the program's own bytes."""

from __future__ import annotations

import hashlib
import mmap
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

TROJANED = frozenset({"0.69.4", "0.69.5", "0.69.6"})
"""Releases of March 2026 that carried somebody else's code."""

_AHEAD = timedelta(days=1)
_STAMP = re.compile(rb"aquasecurity/trivy/pkg/version/app\.ver=v?([0-9]+\.[0-9]+\.[0-9]+)")
"""How the linker's flags, kept in each Go program, name trivy's version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Trivy's file, looked at without running it.

    Attributes:
        digest: its SHA-256, as `sha256:…`.
        version: as it is stamped into it; empty where it is not, as in a script that calls it elsewhere.
    """

    digest: str
    version: str


def inspect(path: Path) -> Program:
    """Digest and version of a program's file, read once for as long as the file stays as it is.

    Raises:
        OSError: if it cannot be read.
    """
    status = path.stat()
    return _inspect(path, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4)
def _inspect(path: Path, inode: int, size: int, changed: int) -> Program:  # noqa: ARG001 - they are the cache's key
    if not size:
        return Program(digest=f"sha256:{hashlib.sha256().hexdigest()}", version="")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        stamp = _STAMP.search(data)
        return Program(digest=f"sha256:{hashlib.sha256(data).hexdigest()}", version=stamp[1].decode() if stamp else "")


def refusal(version: str) -> str:
    """Why a trivy of this version is not run; empty where it may be."""
    if version.removeprefix("v").partition("-")[0].partition("+")[0] not in TROJANED:
        return ""
    return (
        f"trivy {version} was published with malicious code: remove it, renew every secret that it could read, "
        "and install another version, pinned by digest"
    )


def doubt(database: datetime | None, *, now: datetime, days: float) -> str:
    """Why a database of this moment is not believed; empty where it is."""
    if database is None:
        return "trivy has no vulnerability database: run `trivy image --download-db-only`"
    if database > now + _AHEAD:
        return f"trivy's database says that it is of {database:%Y-%m-%d %H:%M} UTC, which is not yet: check the clock"
    age = now - database
    if age > timedelta(days=days):
        return (
            f"trivy's database is {age.days} days old, and may be {days:g}: run `trivy image --download-db-only`, "
            "or raise security.trivy_database_days"
        )
    return ""


def mark(cache: Path) -> tuple[int, int, int] | None:
    """What tells one database file from another; None where there is none. It changes when the database is replaced."""
    try:
        status = (cache / "db" / "trivy.db").stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
