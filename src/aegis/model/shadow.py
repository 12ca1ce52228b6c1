"""A shadow that stands on its own: a copy of a workload, cut off, kept for a while so that somebody may look or try."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from aegis.model.refs import JsonObject, ObjectRef
from aegis.model.report import SecurityReport
from aegis.model.security import SecurityComparison
from aegis.model.verdict import Decision, GateResult, Verdict

LONGEST_LIFE: Final = timedelta(hours=2)
"""No shadow lives longer, whoever wants it."""

UNFINISHED: Final = timedelta(minutes=10)
"""A shadow that is being made, or worked on, says that it is wanted for so long, and says so again while that goes on."""


class Stage(StrEnum):
    """What was last done with a shadow, as it is stored."""

    CREATING = "Creating"
    STANDING = "Standing"
    VERIFYING = "Verifying"
    DELETING = "Deleting"
    FAILED = "Failed"


class ShadowPhase(StrEnum):
    """How a shadow stands, as a person is told: what is stored, and what the cluster shows."""

    CREATING = "Creating"
    STARTING = "Starting"
    READY = "Ready"
    VERIFYING = "Verifying"
    DELETING = "Deleting"
    EXPIRED = "Expired"
    LOST = "Lost"
    FAILED = "Failed"

    @property
    def over(self) -> bool:
        """Whether it will not become ready any more."""
        return self in {ShadowPhase.DELETING, ShadowPhase.EXPIRED, ShadowPhase.LOST, ShadowPhase.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where a shadow lives: a namespace, known by its uid. A namespace of that name with another uid is not ours."""

    name: str
    uid: str

    def to_dict(self) -> JsonObject:
        """For a document."""
        return {"name": self.name, "uid": self.uid}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A copied workload and how many pods of it should run."""

    ref: ObjectRef
    pods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowSession:
    """What is stored of a shadow.

    Attributes:
        id: names its namespaces; stored before the first of them is made.
        provider: what made it, as the setting `shadow.provider` calls it.
        cluster_uid: in which cluster.
        target: the workload of production that it is a copy of.
        created_at: when it was asked for.
        expires_at: after this anybody may delete it.
        stage: what was last done with it.
        home: where it lives; None before it is made and after it is gone.
        isolation: the proof that it is cut off; None before.
        workloads: what runs in it.
        gaps: what in it is not as in production.
        decision: of the last verification; None without one.
        message: why it failed; empty where it did not.
    """

    id: str
    provider: str
    cluster_uid: str
    target: ObjectRef
    created_at: datetime
    expires_at: datetime
    stage: Stage = Stage.CREATING
    home: Home | None = None
    isolation: GateResult | None = None
    workloads: tuple[Wanted, ...] = ()
    gaps: tuple[str, ...] = ()
    decision: Decision | None = None
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodState:
    """One pod of a shadow."""

    name: str
    phase: str
    ready: bool
    restarts: int
    reason: str = ""

    def to_dict(self) -> JsonObject:
        """For a document."""
        return {
            "name": self.name,
            "phase": self.phase,
            "ready": self.ready,
            "restarts": self.restarts,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the cluster shows of a shadow.

    Attributes:
        there: whether its namespace (of the recorded uid) is there and not being deleted.
        ready: how many pods of each workload are ready; of a Job, also what ended well.
        pods: every pod of the workloads.
    """

    there: bool
    ready: dict[ObjectRef, int] = field(default_factory=dict)
    pods: tuple[PodState, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What came of trying changes beside a shadow.

    Attributes:
        verdict: the decision with every gate.
        security: before and after; None where it did not come to that.
        report: of all scanners on the candidate; None likewise.
    """

    verdict: Verdict
    security: SecurityComparison | None = None
    report: SecurityReport | None = None


_TOLD: Final = {
    Stage.FAILED: ShadowPhase.FAILED,
    Stage.DELETING: ShadowPhase.DELETING,
    Stage.CREATING: ShadowPhase.CREATING,
    Stage.VERIFYING: ShadowPhase.VERIFYING,
}
"""What is told as it is stored; of a standing shadow the cluster tells."""


def phase_of(session: ShadowSession, seen: Seen, now: datetime) -> ShadowPhase:
    """How a shadow stands."""
    stored = _TOLD.get(session.stage)
    if stored is not None and (stored is not ShadowPhase.VERIFYING or seen.there):
        return stored
    if now >= session.expires_at:
        return ShadowPhase.EXPIRED
    if not seen.there:
        return ShadowPhase.LOST
    full = all(seen.ready.get(one.ref, 0) >= one.pods for one in session.workloads)
    return ShadowPhase.READY if full else ShadowPhase.STARTING


def session_to_dict(session: ShadowSession, seen: Seen, now: datetime) -> JsonObject:
    """`kind: ShadowSession`."""
    return {
        "apiVersion": "aegis.io/v1",
        "kind": "ShadowSession",
        "id": session.id,
        "provider": session.provider,
        "phase": phase_of(session, seen, now).value,
        "message": session.message,
        "target": session.target.to_dict(),
        "namespace": session.home.name if session.home else None,
        "uid": session.home.uid if session.home else None,
        "created_at": _time(session.created_at),
        "expires_at": _time(session.expires_at),
        "isolation": session.isolation.to_dict() if session.isolation else None,
        "workloads": [
            {"kind": one.ref.kind, "name": one.ref.name, "ready": seen.ready.get(one.ref, 0), "wanted": one.pods}
            for one in session.workloads
        ],
        "pods": [pod.to_dict() for pod in seen.pods],
        "gaps": list(session.gaps),
        "decision": session.decision.value if session.decision else None,
    }


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
