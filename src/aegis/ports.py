"""Every protocol between the layers, on one page.

Drivers and stores implement the first half, plug-ins the second. Nothing here imports what implements it. Methods raise
the errors of `aegis.errors`; what each may raise is said where it is not plain.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol

from aegis.falco.alert import Alert
from aegis.falco.query import AlertQuery
from aegis.model.audit import AuditRecord
from aegis.model.changes import Change, Fix
from aegis.model.evidence import Evidence
from aegis.model.incident import Incident
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.scan import ScanResult, Subject, Tool
from aegis.model.shadow import Seen, ShadowSession, Verification
from aegis.model.verdict import GateResult

# ── the cluster ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Which cluster one speaks to.

    Attributes:
        uid: the uid of the kube-system namespace; empty for whoever may not see that.
        server: its URL.
        context: the kubeconfig context; empty within a cluster.
        version: the server's gitVersion.
        embedded: whether it is AEGIS's own local cluster (on loopback, and it says so).
        time_scale: by how much it divides delays; 1 unless embedded.
        gaps: what the embedded cluster says that it does not enforce.
    """

    uid: str
    server: str
    context: str
    version: str
    embedded: bool = False
    time_scale: float = 1.0
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who the API server says that one is (SelfSubjectReview)."""

    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A permission to ask about: a verb on a resource (`deployments.apps`, `pods/log`), in a namespace or everywhere."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which of a container's output to read.

    Attributes:
        container: its name.
        previous: the run before the current one.
        since: only from then on.
        tail_lines: only the last so many.
        limit_bytes: never more than so many.
        timestamps: each line begins with the node's time of it (RFC 3339, nanoseconds) and a blank.
    """

    container: str
    previous: bool = False
    since: datetime | None = None
    tail_lines: int | None = None
    limit_bytes: int = 1 << 20
    timestamps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectEvent:
    """One change that a watch reports."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Json


class ClusterReader(Protocol):
    """Reading a cluster. Kinds are given as `ObjectRef`s carry them; the driver knows or discovers their resource."""

    async def cluster(self) -> Cluster:
        """Which cluster this is (asked once, then remembered)."""
        ...

    async def whoami(self) -> User:
        """Who the API server says the caller is."""
        ...

    async def allowed(self, access: Access) -> bool:
        """Whether the caller may do it (SelfSubjectAccessReview)."""
        ...

    async def resolve(self, kind: str) -> ObjectRef:
        """The kind for what a user typed: `deploy`, `Deployment`, `deployments.apps`; name and namespace are empty.

        A cluster-scoped kind has the namespace `-`.

        Raises:
            UsageError: if the server has no such resource.
        """
        ...

    async def get(self, ref: ObjectRef) -> JsonObject:
        """The object, whole, as the server sent it.

        Raises:
            NotFound: if it is not there.
        """
        ...

    async def find(self, ref: ObjectRef) -> JsonObject | None:
        """The object, or None where it (or its kind) is not there."""
        ...

    async def list(
        self,
        api_version: str,
        kind: str,
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
    ) -> list[JsonObject]:
        """All objects of a kind (paged through), each with its apiVersion and kind; empty where the kind is unknown."""
        ...

    def watch(
        self, api_version: str, kind: str, *, namespace: str = "", labels: str = "", fields: str = ""
    ) -> AsyncIterator[ObjectEvent]:
        """What is there as ADDED, then each change, through dropped connections and 410, until closed."""
        ...

    async def logs(self, namespace: str, pod: str, query: LogQuery) -> str:
        """A container's output.

        Raises:
            NotFound: if the pod, the container's run, or its log is not there.
        """
        ...


class ClusterWriter(Protocol):
    """Writing to a cluster: only the actuator holds one."""

    async def create(self, obj: Json, *, dry_run: bool = False) -> JsonObject:
        """Create an object.

        Raises:
            Conflict: if it is there already.
        """
        ...

    async def apply(
        self, ref: ObjectRef, body: Json, *, manager: str, force: bool = False, dry_run: bool = False
    ) -> JsonObject:
        """Server-side apply with strict field validation.

        Raises:
            Conflict: if another manager owns a field (`conflicts` says which), or the resourceVersion in the body is old.
            Invalid: if the server refuses the content.
        """
        ...

    async def patch(
        self, ref: ObjectRef, operations: Sequence[Json], *, manager: str, dry_run: bool = False
    ) -> JsonObject:
        """An RFC 6902 patch.

        Raises:
            Conflict: if a `test` operation fails.
            Invalid: if the server refuses the content.
        """
        ...

    async def delete(
        self,
        ref: ObjectRef,
        *,
        uid: str = "",
        resource_version: str = "",
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
        dry_run: bool = False,
    ) -> None:
        """Delete, only if uid and resourceVersion are still these where they are given; what is gone is no error."""
        ...

    async def evict(self, ref: ObjectRef, *, uid: str = "", dry_run: bool = False) -> None:
        """Evict a pod."""
        ...


# ── the only door that changes a cluster ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """Why a write is made: it decides which rules hold for it.

    Attributes:
        kind: `production` (a fix), `undo` (a fix taken back), `shadow` (objects of AEGIS's own in a shadow), `lease`,
            `rerun` (a Job that does once what a CronJob does, and its removal).
        incident: on whose behalf.
        scope: for `shadow` the only namespaces that may be touched (and created or deleted); for `rerun` the name of
            the CronJob.
    """

    kind: Literal["production", "undo", "shadow", "lease", "rerun"]
    incident: str
    scope: tuple[str, ...] = ()


class Actuator(Protocol):
    """Every write passes here: mode, protected namespaces, limits, dry-run, audit "intended" then "done"."""

    async def create(self, obj: Json, purpose: Purpose) -> JsonObject:
        """Create one object of a shadow, or a Lease."""
        ...

    async def change(
        self,
        change: Change,
        purpose: Purpose,
        *,
        resource_version: str = "",
        force: bool = False,
        dry_run: bool = False,
    ) -> JsonObject | None:
        """Make one change; the object as it is afterwards, None where it is gone.

        Args:
            change: what to do.
            purpose: why.
            resource_version: the version that the object must still have (a precondition; not part of the change).
            force: take fields over from other field managers.
            dry_run: only ask the server (still checked by all rules, and audited as a dry-run).

        Raises:
            Refused: if a rule forbids it; nothing was written.
            Conflict: if the precondition does not hold.
        """
        ...

    async def delete(self, ref: ObjectRef, purpose: Purpose, *, uid: str = "", resource_version: str = "") -> None:
        """Delete one object of a shadow (its namespace, above all), or a Lease."""
        ...


class Mode(StrEnum):
    """The automation's own kill switch."""

    RUN = "run"
    OBSERVE = "observe"
    """Nothing is written but dry-runs."""
    FROZEN = "frozen"
    """Only our own rollback is still made, and our own shadows are taken down."""
    HARDSTOP = "hardstop"
    """Nothing at all."""


class AutomationMode(Protocol):
    """Where the mode is kept."""

    async def read(self) -> Mode:
        """The mode; absent means `run`.

        Raises:
            Unavailable: if it cannot be read: then nothing may be written.
        """
        ...


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertBatch:
    """Alerts that were read.

    Attributes:
        alerts: the oldest first.
        notes: why there may be more than these, in words.
    """

    alerts: tuple[Alert, ...] = ()
    notes: tuple[str, ...] = ()


class AuditLog(Protocol):
    """The tamper-evident log."""

    async def append(
        self,
        *,
        actor: str,
        action: str,
        outcome: Literal["intended", "done", "failed", "refused", "noted"],
        incident: str = "",
        subject: str = "",
        detail: Json | None = None,
    ) -> AuditRecord:
        """Write one record and make it durable (fsync) before returning.

        Raises:
            Unavailable: if it cannot be made durable: then the write that it announces must not be made.
        """
        ...

    def records(self, *, incident: str = "") -> Iterable[AuditRecord]:
        """The records in order, of one incident or all."""
        ...


class AlertSource(Protocol):
    """Where Falco's alerts are read from."""

    name: str

    async def read(self, query: AlertQuery, limit: int) -> AlertBatch:
        """The newest alerts that are asked for, the oldest first.

        Raises:
            Unavailable: if the source does not answer.
            PermissionDenied: if it may not be read.
        """
        ...


class AlertStore(Protocol):
    """Where alerts are kept."""

    async def add(self, alerts: Iterable[Alert]) -> tuple[int, int]:
        """Store durably; how many were new, and how many were there already (by `aegis.falco.identity`).

        Raises:
            Unavailable: if they cannot be stored: then none of them was.
        """
        ...

    async def read(self, query: AlertQuery, limit: int) -> AlertBatch:
        """The newest alerts that are asked for, the oldest first."""
        ...


class IncidentStore(Protocol):
    """Where incidents are kept."""

    async def save(self, incident: Incident) -> Incident:
        """Store durably; the returned incident has the next version.

        Raises:
            Conflict: if the stored version is not the one that was read.
        """
        ...

    async def load(self, incident_id: str) -> Incident:
        """The incident with this id, or whose id begins so, if only one does.

        Raises:
            NotFound: if there is none.
        """
        ...

    async def list(self, *, target: ObjectRef | None = None, open_only: bool = False) -> list[Incident]:
        """The incidents of this cluster, the newest first."""
        ...


# ── shadows that stand on their own ──────────────────────────────────────────────────────────────────────────────────


class ShadowStore(Protocol):
    """Where shadows that stand on their own are kept: of one cluster."""

    def save(self, session: ShadowSession) -> ShadowSession:
        """Keep it durably, over what was kept of it."""
        ...

    def forget(self, session_id: str) -> None:
        """Keep it no longer."""
        ...

    def load(self, words: str) -> ShadowSession:
        """The shadow of this id, or whose id begins so, if only one does.

        Raises:
            NotFound: if there is none.
        """
        ...

    def list(self) -> list[ShadowSession]:
        """The shadows, the newest first."""
        ...


class ShadowProvider(Protocol):
    """Makes a place that is cut off, and copies a workload into it: a namespace, or (later) a virtual cluster."""

    @property
    def name(self) -> str:
        """As the setting `shadow.provider` calls it."""
        ...

    async def create(self, session: ShadowSession, keep: Callable[[ShadowSession], ShadowSession]) -> ShadowSession:
        """Make the shadow; its pods have been started when this returns, and are ready somewhat later.

        Args:
            session: with its id, target and times, stored already.
            keep: stores what is known by now, before the next effect.

        Returns:
            The session, standing; or failed, with the reason, and then nothing of it is left.

        Raises:
            NotFound: if the target is not there.
            Refused: if a copy would reach into a node, or a rule of the actuator forbids the shadow.
            Unavailable: if all slots are taken, or the cluster does not answer.
        """
        ...

    async def keep_until(self, session: ShadowSession, moment: datetime) -> None:
        """Say in the cluster that the shadow is wanted until then."""
        ...

    async def look(self, session: ShadowSession) -> Seen:
        """What the cluster shows of it."""
        ...

    async def verify(self, session: ShadowSession, fix: Fix, *, seconds: float | None) -> Verification:
        """Try changes on fresh copies beside the shadow; without an incident, so nothing is reproduced.

        Args:
            session: the shadow.
            fix: the changes; it may have none.
            seconds: nominal seconds that the candidate must stay good at least; None: what the judge asks for.
        """
        ...

    async def remove(self, session: ShadowSession, uids: Collection[str]) -> None:
        """Remove all of it that was made under these uids, and wait until it is gone.

        Raises:
            Unavailable: if it does not go in time.
        """
        ...


# ── plug-ins ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRequest:
    """What to gather evidence about: one object, or (`target` None) all that is in the namespaces.

    Attributes:
        target: the object.
        namespaces: where to look; none: everywhere.
        excluded: namespaces that are passed over: our own shadows.
    """

    target: ObjectRef | None
    namespaces: tuple[str, ...]
    excluded: frozenset[str] = frozenset()


class EvidenceSource(Protocol):
    """Where evidence comes from; a source that fails is reported as evidence of source `note`, not raised."""

    name: str

    async def collect(self, request: EvidenceRequest) -> Sequence[Evidence]:
        """Read what there is, bounded and redacted."""
        ...


class Scanner(Protocol):
    """A security scanner. Whatever goes wrong with its tool is a result (`ScanStatus`), not an exception."""

    name: str

    def accepts(self, subject: Subject) -> bool:
        """Whether it looks at such a thing at all."""
        ...

    async def probe(self, desk: Any) -> Tool:
        """With what it would look: version, digest, age of the database; or why it cannot (`Tool.absent`)."""
        ...

    async def scan(self, subject: Subject, desk: Any) -> ScanResult:
        """Look, with what lies on the desk (`aegis.security.desk.Desk`), and prove what was looked at."""
        ...


class Gate(Protocol):
    """One test that a trial must stand."""

    name: str
    required: bool

    async def judge(self, trial: Any) -> GateResult:
        """Look at the trial (`aegis.shadow.trial.Trial`) and say how it stands."""
        ...


class Progress(Protocol):
    """Who is told how long work goes on: one line a step, on stderr."""

    def __call__(self, message: str, /, **facts: object) -> None:
        """Say what is happening now; `facts` are numbers worth showing."""
        ...
