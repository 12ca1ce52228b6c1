"""What a person's yes is bound to: everything that was shown, as one digest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aegis.errors import Refused
from aegis.model.canonical import digest
from aegis.model.changes import ChangeSet
from aegis.model.incident import Approval, Incident
from aegis.model.refs import JsonObject


class ApprovalExpired(Refused):
    """The approval was given too long ago, or was not given in time."""

    code = "approval_expired"

    def __init__(self, expires_at: datetime) -> None:
        super().__init__(
            f"the approval was asked for until {expires_at:%H:%M:%S} UTC and is void now",
            hint="Run aegis fix again: it verifies and asks anew.",
        )


class ApprovalVoid(Refused):
    """What would be written is not what was approved."""

    code = "approval_void"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What is put before a person.

    Attributes:
        cluster_uid: which cluster.
        target_uid: the uid of the object that changes, as it is now.
        spec_hash: what it holds now, see `aegis.model.drift.spec_hash`.
        change_set: what was tried.
        diff: what the server says that the changes make of every object, see `aegis.delivery.preview.Preview.diff`.
        evidence_root: digest of the evidence, the diagnosis and the verdict.
        policy_version: by which rules it was judged.
        expires_at: until when a yes counts.
        nonce: makes the yes single-use.
    """

    cluster_uid: str
    target_uid: str
    spec_hash: str
    change_set: ChangeSet
    diff: tuple[JsonObject, ...]
    evidence_root: str
    policy_version: str
    expires_at: datetime
    nonce: str

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of all of it."""
        return digest({
            "clusterUid": self.cluster_uid,
            "targetUid": self.target_uid,
            "specHash": self.spec_hash,
            "changeSet": self.change_set.to_dict(),
            "diff": list(self.diff),
            "evidenceRoot": self.evidence_root,
            "policyVersion": self.policy_version,
            "expiresAt": self.expires_at.isoformat(),
            "nonce": self.nonce,
        })


def approve(proposal: Proposal, *, by: str, at: datetime) -> Approval:
    """A person's yes to the proposal.

    Raises:
        ApprovalExpired: if it comes too late.
    """
    require_time(proposal, at)
    return Approval(digest=proposal.digest, by=by, at=at, expires_at=proposal.expires_at, nonce=proposal.nonce)


def require_time(proposal: Proposal, now: datetime) -> None:
    """The question still stands.

    Raises:
        ApprovalExpired: if its time is over.
    """
    if now >= proposal.expires_at:
        raise ApprovalExpired(proposal.expires_at)


def check(approval: Approval, proposal: Proposal, *, now: datetime) -> None:
    """Whether the approval still stands for what would be written now.

    Raises:
        ApprovalExpired: if its time is over.
        ApprovalVoid: if the proposal, made anew, is another.
    """
    if now >= approval.expires_at:
        raise ApprovalExpired(approval.expires_at)
    if approval.nonce != proposal.nonce or approval.digest != proposal.digest:
        raise ApprovalVoid(
            "what would be written now is not what was approved: production or the policy changed since",
            hint="Run aegis fix again: it verifies and asks anew.",
        )


def evidence_root(incident: Incident) -> str:
    """The digest of all that the decision rests on: evidence, diagnosis, verdict, and what was scanned and found."""
    diagnosis, verdict = incident.diagnosis, incident.verdict
    grounds: list[Any] = [
        [[item.id, item.source, str(item.subject), item.summary, dict(item.payload)] for item in incident.evidence],
        [diagnosis.cause, str(diagnosis.root), diagnosis.verdict.value] if diagnosis else None,
        verdict.to_dict() if verdict else None,
        incident.security.to_dict() if incident.security else None,
    ]
    return digest(grounds)
