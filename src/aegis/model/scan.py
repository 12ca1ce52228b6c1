"""One scan: what is looked at, with which tool, how it ended, and how much of it was covered. Exit codes say none of this."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from aegis.model.refs import Json, JsonObject
from aegis.model.security import SecurityFinding

# ── what is looked at ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """Objects of Kubernetes, canonical already (`aegis.security.canonical`): one look at all of them.

    Attributes:
        objects: each with apiVersion, kind and a name; no Lists.
    """

    objects: tuple[Json, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A container image.

    Attributes:
        reference: as a pod names it.
        archive: a saved image (`docker save`, an OCI layout as a tar); None: it is pulled from its registry.
        platform: as `linux/amd64`; empty: the tool's own.
        layerless: why there is nothing to look into, as for an image of the embedded registry; empty where there is.
        containers: which containers run it, where a workload is looked at: as `Deployment/web containers[app]`.
    """

    reference: str
    archive: Path | None = None
    platform: str = ""
    layerless: str = ""
    containers: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A folder or file: manifests, Dockerfiles, a root file system."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """A running HTTP service.

    Attributes:
        url: where it answers.
        namespace: of the pods that serve it, where it only answers within a cluster; else empty.
    """

    url: str
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What the pods of a namespace did in a window of time; both ends belong to it."""

    namespace: str
    since: datetime
    until: datetime


Subject = Manifests | Image | Source | Url | Runtime

# ── how it went ──────────────────────────────────────────────────────────────────────────────────────────────────────


class ScanStatus(StrEnum):
    """How a scan ended. Only CLEAN means that there is nothing; PARTIAL counts as an error."""

    CLEAN = "clean"
    FINDINGS = "findings"
    PARTIAL = "partial"
    ERROR = "error"
    TIMEOUT = "timeout"
    SKIPPED = "skipped"

    @property
    def complete(self) -> bool:
        """Whether all that was expected was looked at."""
        return self in (ScanStatus.CLEAN, ScanStatus.FINDINGS)

    @property
    def word(self) -> str:
        """As scripts are told: `clean`, `findings`, `skipped`, or `errored` for whatever proves nothing."""
        return self.value if self.complete or self is ScanStatus.SKIPPED else "errored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What looks: enough to say later that two looks were the same.

    Attributes:
        name: as `trivy`.
        version: as it says itself.
        digest: SHA-256 of the program or of the rules, as `sha256:…`.
        database: when its knowledge was last renewed; None where it has none apart from itself.
        absent: why it cannot be used here, with what to do; empty where it can.
    """

    name: str
    version: str = ""
    digest: str = ""
    database: datetime | None = None
    absent: str = ""

    def to_dict(self) -> JsonObject:
        """For reports."""
        return {
            "name": self.name,
            "version": self.version,
            "digest": self.digest,
            "database": self.database.isoformat() if self.database else None,
            "absent": self.absent,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Proof of what was looked at.

    Attributes:
        expected: names of the parts that had to be looked at (objects, packages of an image, files, nodes).
        scanned: those that the tool says it looked at.
        notes: what limits the look, in words.
    """

    expected: tuple[str, ...] = ()
    scanned: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """What was expected and not looked at."""
        seen = set(self.scanned)
        return tuple(name for name in self.expected if name not in seen)

    def to_dict(self) -> JsonObject:
        """For reports."""
        return {"expected": list(self.expected), "scanned": list(self.scanned), "notes": list(self.notes)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult:
    """What one scanner says of one subject.

    Attributes:
        scanner: its name.
        status: how it ended.
        findings: what it found, nothing taken away by a waiver yet.
        coverage: what it looked at.
        tool: with what.
        reason: one sentence, for everything but CLEAN and FINDINGS.
        raw_digest: SHA-256 of the tool's own report, as `sha256:…`; empty where there is none.
        seconds: real seconds that the tool ran.
        details: what only this scanner has to say (a score, insights), JSON values.
    """

    scanner: str
    status: ScanStatus
    findings: tuple[SecurityFinding, ...] = ()
    coverage: Coverage = field(default_factory=Coverage)
    tool: Tool
    reason: str = ""
    raw_digest: str = ""
    seconds: float = 0.0
    details: JsonObject = field(default_factory=dict)

    def to_dict(self) -> JsonObject:
        """For reports."""
        return {
            "scanner": self.scanner,
            "status": self.status.value,
            "reason": self.reason,
            "findings": [finding.to_dict() for finding in self.findings],
            "coverage": self.coverage.to_dict(),
            "tool": self.tool.to_dict(),
            "raw_digest": self.raw_digest,
            "seconds": round(self.seconds, 3),
            "details": self.details,
        }
