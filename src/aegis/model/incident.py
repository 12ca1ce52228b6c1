"""One incident, from detection to its end. The phases are those of the `Incident` resource (CONTRACT.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from aegis.model.changes import Change, Fix
from aegis.model.diagnosis import Diagnosis
from aegis.model.evidence import Evidence
from aegis.model.health import Health
from aegis.model.refs import JsonObject, ObjectRef
from aegis.model.security import SecurityComparison
from aegis.model.verdict import Verdict


class Phase(StrEnum):
    """Where an incident stands."""

    DETECTED = "Detected"
    ANALYZING = "Analyzing"
    """Diagnosis and trial."""
    AWAITING_APPROVAL = "AwaitingApproval"
    APPLYING_FIX = "ApplyingFix"
    MONITORING = "Monitoring"
    RESOLVED = "Resolved"
    FAILED = "Failed"
    REJECTED = "Rejected"
    """A person said no."""
    TIMEOUT = "Timeout"
    """Nobody answered in time."""

    @property
    def final(self) -> bool:
        """Whether nothing more will happen."""
        return self in {Phase.RESOLVED, Phase.FAILED, Phase.REJECTED, Phase.TIMEOUT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's yes to exactly what was tried.

    Attributes:
        digest: SHA-256 over everything that was shown, see `aegis.delivery.approval`.
        by: the user as the API server knows them (SelfSubjectReview), never typed.
        at: when.
        expires_at: after this it is void.
        nonce: makes it single use.
    """

    digest: str
    by: str
    at: datetime
    expires_at: datetime
    nonce: str

    def to_dict(self) -> JsonObject:
        """As CONTRACT.md writes it."""
        return {"digest": self.digest, "by": self.by, "at": self.at.isoformat().replace("+00:00", "Z")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """How to go back, stored before anything is changed.

    Attributes:
        changes: the inverse of the change set, as JSON patches with `test` operations, in the order to make them.
        before_hashes: `spec_hash` of every touched object before (by `str(ObjectRef)`).
        after_hashes: the same after the change, as the server's dry-run showed it.
        uids: the uid of every touched object before.
        marks: the labels and annotations that the change set changes of every touched object; the hashes cover them.
    """

    changes: tuple[Change, ...]
    before_hashes: dict[str, str]
    after_hashes: dict[str, str]
    uids: dict[str, str] = field(default_factory=dict)
    marks: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handoff:
    """What was handed to the owner of a GitOps-managed object instead of being written."""

    owner: str
    app: str
    repo: str
    path: str
    files: tuple[str, ...]

    def to_dict(self) -> JsonObject:
        """As CONTRACT.md writes it."""
        return {
            "owner": self.owner,
            "app": self.app,
            "repo": self.repo,
            "path": self.path,
            "files": list(self.files),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The stored state of one remediation: all that is needed to go on after a crash.

    Attributes:
        id: `inc-` and ten characters.
        cluster_uid: which cluster (the uid of its kube-system namespace).
        target: what was reported.
        opened_at: when.
        phase: where it stands.
        reason: a word for how it stands, as `GateRejected`, `Drifted`, `RolledBack`; empty while it goes well.
        message: one sentence for a person.
        evidence: what the diagnosis cites.
        diagnosis: None until analysed.
        fix: the fix that is tried; chosen from the diagnosis or given by a person.
        given: whether a person gave the fix (`--changes`).
        shadow_id: set, and stored, before the first shadow object is made.
        stood: how all that the trial rests on stood right before it, see `aegis.delivery.stood`.
        verdict: None until tried.
        tried_digest: digest of the change set that the verdict is about, see `ChangeSet.digest`.
        security: before and after; None until tried.
        nonce: of the approval that is asked for.
        asked_at: when it was first asked for; its time to live counts from here.
        approval: None until given.
        baseline: how the target stood right before production was touched, stored with the undo.
        undo: stored before production is touched.
        applied_at: when production was changed; None if it was not.
        rolling_back: stored before the undo is begun.
        rolled_back: whether the undo was made.
        handoff: where the fix was handed over rather than applied.
        attempts: how often a step was resumed after a crash.
        audit_first: sequence number of the first audit record of this incident; 0 while there is none.
        audit_last: of the last one.
        version: grows with each save; a save with a stale version is refused.
    """

    id: str
    cluster_uid: str
    target: ObjectRef
    opened_at: datetime
    phase: Phase = Phase.DETECTED
    reason: str = ""
    message: str = ""
    evidence: tuple[Evidence, ...] = ()
    diagnosis: Diagnosis | None = None
    fix: Fix | None = None
    given: bool = False
    shadow_id: str = ""
    stood: dict[str, str] = field(default_factory=dict)
    verdict: Verdict | None = None
    tried_digest: str = ""
    security: SecurityComparison | None = None
    nonce: str = ""
    asked_at: datetime | None = None
    approval: Approval | None = None
    baseline: Health | None = None
    undo: Undo | None = None
    applied_at: datetime | None = None
    rolling_back: bool = False
    rolled_back: bool = False
    handoff: Handoff | None = None
    attempts: int = 0
    audit_first: int = 0
    audit_last: int = 0
    version: int = 0
