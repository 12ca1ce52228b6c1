"""Trivy's JSON report as values: nothing is believed of it that it does not say in its own form. Pure.

Source: trivy's report of schema version 2, as trivy 0.74 writes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from aegis.model.refs import Json, JsonObject

_SCHEMA = 2


class Unusable(ValueError):
    """What a tool wrote is no report; says why, in one clause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The operating system that trivy took the packages to be of.

    Attributes:
        family: as trivy calls it: `debian`, `alpine`, `redhat`.
        release: as `12.5`.
        ended: whether its makers no longer publish mendings (EOSL), so that little is known of its faults.
    """

    family: str
    release: str
    ended: bool = False

    def __str__(self) -> str:
        return f"{self.family} {self.release}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One entry of `Results`: a target of one class, as the packages of an operating system or one file.

    Attributes:
        target: what was looked at; for files the path within what was scanned.
        kind: `os-pkgs`, `lang-pkgs`, `config`, `secret`.
        type: as `debian`, `python-pkg`, `kubernetes`.
        packages: how many packages it lists.
        checks: how many checks were made of a configuration; 0 means that it was not looked at.
        vulnerabilities: as trivy writes them.
        misconfigurations: the same; passed checks are not among them.
        secrets: the same.
        suppressed: findings that trivy took away, each with `Type`, `Status`, `Statement`, `Source` and `Finding`.
    """

    target: str
    kind: str
    type: str
    packages: int = 0
    checks: int = 0
    vulnerabilities: tuple[Json, ...] = ()
    misconfigurations: tuple[Json, ...] = ()
    secrets: tuple[Json, ...] = ()
    suppressed: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole report.

    Attributes:
        name: what was scanned, as trivy calls it.
        version: of the trivy that wrote it.
        server_database: when the server's database was made, in client mode; else None.
        system: the operating system that was found; None where there was none.
        image_id: SHA-256 of an image's configuration.
        digests: `repository@sha256:…` names of an image.
        layers: how many layers an image has.
        sections: what was looked at.
    """

    name: str = ""
    version: str = ""
    server_database: datetime | None = None
    system: System | None = None
    image_id: str = ""
    digests: tuple[str, ...] = ()
    layers: int = 0
    sections: tuple[Section, ...] = ()

    def of(self, *kinds: str) -> tuple[Section, ...]:
        """The sections of these classes."""
        return tuple(section for section in self.sections if section.kind in kinds)


def read_report(data: bytes) -> Report:
    """The report that trivy wrote.

    Raises:
        Unusable: if it is none: empty, cut off, not JSON, or not of the form.
    """
    document = read_object(data)
    if document.get("SchemaVersion") != _SCHEMA:
        raise Unusable(f"its report is not of schema version {_SCHEMA}: {document.get('SchemaVersion')!r}")
    metadata = _mapping(document.get("Metadata"), "Metadata")
    writer = _mapping(document.get("Trivy"), "Trivy")
    server = _mapping(writer.get("Server"), "Trivy.Server")
    return Report(
        name=text(document, "ArtifactName"),
        version=text(writer, "Version"),
        server_database=database_time(server),
        system=_system(_mapping(metadata.get("OS"), "Metadata.OS")),
        image_id=text(metadata, "ImageID"),
        digests=tuple(str(name) for name in _list(metadata.get("RepoDigests"), "Metadata.RepoDigests")),
        layers=len(_list(metadata.get("DiffIDs"), "Metadata.DiffIDs")),
        sections=tuple(map(_section, _objects(document.get("Results"), "Results"))),
    )


def read_object(data: bytes) -> JsonObject:
    """The one JSON object that a tool wrote.

    Raises:
        Unusable: if it wrote anything else.
    """
    if not data.strip():
        raise Unusable("it wrote no report")
    try:
        document = json.loads(data)
    except json.JSONDecodeError as error:
        what = "is cut off" if error.pos >= len(data.decode(errors="replace").rstrip()) - 1 else "is not JSON"
        raise Unusable(f"its report {what}: {error.msg} at character {error.pos}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise Unusable("its report is not JSON") from error
    if not isinstance(document, dict):
        raise Unusable("its report is no JSON object")
    return document


def database_time(version: Json) -> datetime | None:
    """When the database was made, of what `trivy version --format json` or a server's `/version` says.

    Raises:
        Unusable: if it is not of the form.
    """
    database = _mapping(version.get("VulnerabilityDB"), "VulnerabilityDB")
    return moment(text(database, "UpdatedAt")) if database else None


def moment(words: str) -> datetime:
    """A time as Go writes it (RFC 3339, up to nanoseconds), in UTC.

    Raises:
        Unusable: if it is none.
    """
    try:
        parsed = datetime.fromisoformat(words)
    except ValueError as error:
        raise Unusable(f"{words!r} is no time") from error
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def text(obj: Json, key: str) -> str:
    """What stands under a key, as text; empty where there is nothing."""
    value = obj.get(key)
    return value if isinstance(value, str) else "" if value is None else str(value)


def _section(entry: Json) -> Section:
    summary = _mapping(entry.get("MisconfSummary"), "MisconfSummary")
    failed = _objects(entry.get("Misconfigurations"), "Misconfigurations")
    return Section(
        target=text(entry, "Target"),
        kind=text(entry, "Class"),
        type=text(entry, "Type"),
        packages=len(_list(entry.get("Packages"), "Packages")),
        checks=_count(summary, "Successes") + _count(summary, "Failures"),
        vulnerabilities=_objects(entry.get("Vulnerabilities"), "Vulnerabilities"),
        misconfigurations=tuple(item for item in failed if text(item, "Status") != "PASS"),
        secrets=_objects(entry.get("Secrets"), "Secrets"),
        suppressed=_objects(entry.get("ExperimentalModifiedFindings"), "ExperimentalModifiedFindings"),
    )


def _system(entry: Json) -> System | None:
    family, release = text(entry, "Family"), text(entry, "Name")
    if not family:
        return None
    return System(family=family, release=release, ended=entry.get("EOSL") is True or entry.get("Eosl") is True)


def _count(obj: Json, key: str) -> int:
    value = obj.get(key)
    return value if isinstance(value, int) else 0


def _mapping(value: Any, where: str) -> Json:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Unusable(f"its report has no object at {where}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unusable(f"its report has no list at {where}")
    return value


def _objects(value: Any, where: str) -> tuple[Json, ...]:
    items = _list(value, where)
    if not all(isinstance(item, Mapping) for item in items):
        raise Unusable(f"its report has something else than objects at {where}")
    return tuple(cast("list[Json]", items))
