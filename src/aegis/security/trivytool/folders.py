"""Looking at a folder: what is locked or installed in it, its Dockerfiles, its secrets, and its manifests in their own way."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aegis.model.refs import ObjectRef
from aegis.model.scan import Coverage, ScanStatus, Source
from aegis.model.security import Category, SecurityFinding, Severity
from aegis.security.canonical import Canonical, canonicalise, together
from aegis.security.strict_yaml import NotCanonical
from aegis.security.trivytool import command
from aegis.security.trivytool.asking import Failed
from aegis.security.trivytool.command import Bench
from aegis.security.trivytool.findings import NAME, of_files, suppressed, vulnerabilities
from aegis.security.trivytool.look import Look
from aegis.security.trivytool.manifests import look_at_manifests
from aegis.security.trivytool.proof import ask_of_one_database, covered
from aegis.security.trivytool.seal import Seal

FILES_LIMIT = 50_000
_READ_LIMIT = 1 << 20

_LOCKS = frozenset({
    "Cargo.lock",
    "Gemfile.lock",
    "Pipfile.lock",
    "composer.lock",
    "go.mod",
    "gradle.lockfile",
    "package-lock.json",
    "packages.lock.json",
    "pnpm-lock.yaml",
    "poetry.lock",
    "requirements.txt",
    "uv.lock",
    "yarn.lock",
})
"""Files that name the exact versions of packages, as trivy knows them."""

_DOCKERFILE = re.compile(r"(?:(?:Dockerfile|Containerfile)(?:\..+)?|.+\.(?:dockerfile|containerfile))", re.IGNORECASE)
_FROM = re.compile(rb"^\s*FROM\s", re.MULTILINE | re.IGNORECASE)
_MANIFEST = re.compile(rb"^[\s\"'{,-]*apiVersion[\"']?\s*:", re.MULTILINE)
_KIND = re.compile(rb"\bkind[\"']?\s*:")
_ORDER = re.compile(rb"(?:trivy|tfsec):ignore[^\s]*")
_YAML = frozenset({".yaml", ".yml", ".json"})
_SYSTEMS = ("etc/os-release", "usr/lib/os-release")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What lies in a folder.

    Attributes:
        expected: files that trivy has to look at, relative.
        manifests: the Kubernetes objects in it.
        refused: manifests that cannot be read in one way only, relative, each with why.
        orders: files in which trivy is told to look away, relative, each with the line and the words.
    """

    expected: tuple[str, ...]
    manifests: Canonical
    refused: dict[str, str]
    orders: tuple[tuple[str, int, str], ...]


async def look_at_folder(subject: Source, at: Bench, *, updated: datetime | None) -> Look:
    """Look at a folder, or at one file.

    Raises:
        Failed: if nothing came of it.
        OSError: if it cannot be read.
    """
    path = subject.path.resolve()
    if not path.exists():
        raise Failed(ScanStatus.ERROR, f"there is no {subject.path}")
    root = any((path / name).is_file() for name in _SYSTEMS)
    found = await asyncio.to_thread(survey, path, root=root)
    answer = await ask_of_one_database(command.tree(at, path, root=root), at, updated)
    report, who = answer.report, ObjectRef(api_version="", kind="Source", name=str(subject.path))
    packages = await covered(report, at, empty=not root)
    checked = await look_at_manifests(found.manifests.plain, at)
    seen = {section.target for section in report.sections}
    findings = [
        *vulnerabilities(report, who),
        *of_files(report, who, Seal(base=path if path.is_dir() else path.parent, salt=at.salt)),
        *(_order(who, *order) for order in found.orders),
        *map(found.manifests.locate, checked.findings),
    ]
    refused = tuple(found.refused)
    return Look(
        digests=(answer.digest, *checked.digests),
        findings=tuple(findings),
        coverage=Coverage(
            expected=(*packages.expected, *found.expected, *refused, *checked.coverage.expected),
            scanned=(*packages.scanned, *(name for name in found.expected if name in seen), *checked.coverage.scanned),
            notes=(*packages.notes, *found.refused.values(), *found.manifests.notes),
        ),
        details={"mode": "root" if root else "source", "suppressed": suppressed(report)},
    )


def _order(who: ObjectRef, file: str, line: int, words: str) -> SecurityFinding:
    """Trivy obeys such a comment without a word, in any report: so whoever wrote it has to answer for it."""
    return SecurityFinding(
        source=NAME,
        category=Category.CODE,
        rule_id="ignore-comment",
        severity=Severity.HIGH,
        title=f"{file} tells scanners to look away: {words}",
        description="A comment silences checks of this file. Remove it, and waive the finding openly if it is accepted.",
        subject=who,
        location=words,
        file=file,
        line=line,
    )


# ── what lies there ──────────────────────────────────────────────────────────────────────────────────────────────────


def survey(path: Path, *, root: bool) -> Found:
    """Read what trivy will meet.

    Args:
        path: the folder, or one file.
        root: whether it is the root of a system, whose files are not source.

    Raises:
        Failed: if there is too much of it.
        OSError: if it cannot be read.
    """
    expected: list[str] = []
    parts: list[Canonical] = []
    refused: dict[str, str] = {}
    orders: list[tuple[str, int, str]] = []
    base = path if path.is_dir() else path.parent
    for file in () if root else _files(path):
        name = file.relative_to(base).as_posix()
        of_docker = _DOCKERFILE.fullmatch(file.name) is not None
        if file.name in _LOCKS and "node_modules" not in file.parts:
            expected.append(name)
        if not of_docker and file.suffix not in {*_YAML, ".tf", ".template"}:
            continue
        data = _head(file)
        orders += _orders(name, data)
        if of_docker and _FROM.search(data):
            expected.append(name)
        found = _objects(file, name, data, base)
        if isinstance(found, str):
            refused[name] = found
        elif found is not None:
            parts.append(found)
    return Found(expected=tuple(expected), manifests=together(parts), refused=refused, orders=tuple(orders))


def _objects(file: Path, name: str, data: bytes, base: Path) -> Canonical | str | None:
    """The manifests in a file; why they cannot be read in one way; or None for a file that is none."""
    if file.suffix not in _YAML or _in_chart(file, base):
        return None
    try:
        return canonicalise(file.read_bytes(), source=name)
    except NotCanonical as error:
        return error.message if _claims_to_be_a_manifest(data) else None


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    count = 0
    for folder, inner, names in os.walk(path):
        inner[:] = sorted(name for name in inner if name != ".git")
        for name in sorted(names):
            file = Path(folder, name)
            if file.is_symlink() or not file.is_file():
                continue
            count += 1
            if count > FILES_LIMIT:
                raise Failed(ScanStatus.ERROR, f"{path} holds more than {FILES_LIMIT} files: scan a part of it")
            yield file


def _head(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(_READ_LIMIT)


def _in_chart(file: Path, base: Path) -> bool:
    """Whether a file belongs to a chart, whose templates are no manifests before they are rendered, as trivy does."""
    within = [folder for folder in file.parents if folder == base or base in folder.parents]
    return any((folder / "Chart.yaml").is_file() for folder in within)


def _claims_to_be_a_manifest(data: bytes) -> bool:
    """Whether what cannot be read as manifests was meant as such, in any encoding, and is not some other YAML."""
    plain = data.replace(b"\0", b"")
    return bool(_MANIFEST.search(plain) and _KIND.search(plain))


def _orders(name: str, data: bytes) -> Iterator[tuple[str, int, str]]:
    for match in _ORDER.finditer(data):
        yield name, data.count(b"\n", 0, match.start()) + 1, match[0].decode(errors="replace")[:80]
