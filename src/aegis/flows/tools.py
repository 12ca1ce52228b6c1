"""What a remediation needs of the world, each as a narrow port, so that it runs the same on fakes and on a cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from aegis.delivery.apply import unfenced
from aegis.delivery.approval import Proposal
from aegis.delivery.preview import Preview
from aegis.delivery.regression import WatchRules
from aegis.model.diagnosis import Diagnosis
from aegis.model.evidence import Evidence
from aegis.model.incident import Incident
from aegis.model.refs import ObjectRef
from aegis.model.security import SecurityComparison
from aegis.model.verdict import Verdict
from aegis.ports import Actuator, AuditLog, Cluster, ClusterReader, IncidentStore, Progress, User


class Investigate(Protocol):
    """Read the evidence about an object and explain it."""

    async def __call__(self, target: ObjectRef, /) -> tuple[tuple[Evidence, ...], Diagnosis]: ...


class TryFix(Protocol):
    """Try an incident's fix in the shadow that its `shadow_id` names; nothing of it is left when this returns."""

    async def __call__(self, incident: Incident, /) -> tuple[Verdict, SecurityComparison | None]: ...


class Sweep(Protocol):
    """Remove what is left of a shadow; whether anything was."""

    async def __call__(self, shadow_id: str, /) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """All that a person is shown before they say yes or no.

    Attributes:
        incident: with its diagnosis, fix, verdict and security comparison.
        cluster: where it would be written.
        user: who would say yes, as the API server knows them.
        preview: what would become of each object.
        proposal: what the yes is bound to.
    """

    incident: Incident
    cluster: Cluster
    user: User
    preview: Preview
    proposal: Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Yes, No, or (None) nobody was there to ask."""

    yes: bool | None
    why: str = ""


class Approver(Protocol):
    """Puts the question to a person."""

    async def ask(self, question: Question) -> Answer:
        """Their answer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """By which rules a fix is delivered.

    Attributes:
        approval: for how long a question stands, in real time: people do not speed up with the cluster.
        watch: the nominal durations of the watch after the change.
        version: names the rules in the approval's digest.
    """

    approval: timedelta = timedelta(minutes=15)
    watch: WatchRules = field(default_factory=WatchRules)
    version: str = "1"


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def no_checkpoint(_place: str, /) -> None:
    """Nothing is injected."""


@asynccontextmanager
async def alone(_namespace: str, _incident: str, /) -> AsyncIterator[None]:
    """Nobody else is about."""
    yield


Fence = Callable[[], Awaitable[None]]
"""Asks whether what is held is still held, and raises where it is not."""


@asynccontextmanager
async def solely(_incident: Incident, /) -> AsyncIterator[Fence]:
    """Nobody else is about."""
    yield unfenced


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Everything a remediation acts with.

    Attributes:
        cluster: where.
        user: as whom.
        reader: reads the cluster.
        actuator: the only door that writes it.
        audit: the log.
        incidents: where incidents are kept.
        investigate: evidence and diagnosis.
        try_fix: the shadow trial.
        sweep: removes what a dead trial left.
        approver: asks a person.
        progress: is told what goes on.
        policy: the rules of delivery.
        emit: the folder that the fix is handed over in, instead of applying it.
        fix_id: which fix of the diagnosis to try; empty: the best.
        dry_run: production is not written.
        sole: held, for an incident's target, from before its trial to its end, across machines; what it yields is
            asked before each write to production.
        fence: what `sole` yielded, once it is held.
        in_flight: held, for a namespace (on behalf of an incident, by its id), from the last look before a change until the watch after it is over: of two
            changes at a time nobody could say which one helped.
        now: the clock.
        checkpoint: called with a name before and after each effect and each save: tests end the process there.
    """

    cluster: Cluster
    user: User
    reader: ClusterReader
    actuator: Actuator
    audit: AuditLog
    incidents: IncidentStore
    investigate: Investigate
    try_fix: TryFix
    sweep: Sweep
    approver: Approver
    progress: Progress
    policy: DeliveryPolicy = field(default_factory=DeliveryPolicy)
    emit: Path | None = None
    fix_id: str = ""
    dry_run: bool = False
    sole: Callable[[Incident], AbstractAsyncContextManager[Fence]] = solely
    fence: Fence = unfenced
    in_flight: Callable[[str, str], AbstractAsyncContextManager[None]] = alone
    now: Callable[[], datetime] = utc_now
    checkpoint: Callable[[str], None] = no_checkpoint
