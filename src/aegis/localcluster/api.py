"""What the parts of the local cluster ask of one another.

The controllers, the scheduler and the kubelet live in one process with the API server and speak to it through
`ClusterApi`: no HTTP and no authentication, but the same admission, defaulting, validation and resource versions that
an outside client meets. The API server asks the kubelet for logs through `LogSource`.

A resource is named as kubectl names it in full: `pods`, `deployments.apps`, `networkpolicies.networking.k8s.io`.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

Object = dict[str, Any]
"""A Kubernetes object as JSON. What `ClusterApi` returns is shared: copy before changing it."""

EventType = Literal["ADDED", "MODIFIED", "DELETED"]


Propagation = Literal["Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchEvent:
    """One change of one object, after it was stored."""

    type: EventType
    resource: str
    object: Object


class ClusterApi(Protocol):
    """The API server's door for the parts that run beside it.

    Every method may raise `aegis.localcluster.status.ApiError`, whose `code` and `reason` are those of the Status that
    an HTTP client would receive.
    """

    def get(self, resource: str, namespace: str | None, name: str) -> Object | None:
        """The stored object, or None."""
        ...

    def list(self, resource: str, namespace: str | None = None) -> Sequence[Object]:
        """Every stored object of a resource, of one namespace or of all."""
        ...

    def resources(self) -> Mapping[str, bool]:
        """Every resource served now, custom ones too, and whether its objects live in namespaces."""
        ...

    def create(self, resource: str, obj: Mapping[str, Any], *, manager: str) -> Object:
        """Admit, default, validate and store a new object (status included)."""
        ...

    def update(self, resource: str, obj: Mapping[str, Any], *, manager: str) -> Object:
        """Replace all but the status; a `metadata.resourceVersion` in `obj` is a precondition."""
        ...

    def update_status(self, resource: str, obj: Mapping[str, Any], *, manager: str) -> Object:
        """Replace the status (and nothing else); a `metadata.resourceVersion` in `obj` is a precondition."""
        ...

    def patch(
        self, resource: str, namespace: str | None, name: str, patch: Mapping[str, Any], *, manager: str
    ) -> Object:
        """Apply a JSON merge patch to all but the status."""
        ...

    def scale(self, reference: Mapping[str, Any], namespace: str) -> Object | None:
        """The autoscaling/v1 Scale of what an `{apiVersion, kind, name}` refers to, or None where that is not there.

        404 where there is no such kind, or where the kind has no size.
        """
        ...

    def rescale(self, reference: Mapping[str, Any], namespace: str, replicas: int, *, manager: str) -> Object:
        """Give it another size, through its subresource `scale`."""
        ...

    def bind(self, namespace: str, pod: str, node: str) -> None:
        """Give a pod its node, as the scheduler's Binding does."""
        ...

    def delete(
        self,
        resource: str,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        grace_seconds: int | None = None,
        propagation: Propagation = "Background",
    ) -> None:
        """Delete with an optional uid precondition; `grace_seconds=0` removes a pod from the store at once.

        `Foreground` and `Orphan` only mark the object with their finalizer: the garbage collector does the rest.
        """
        ...

    def watch(self, *resources: str) -> AsyncIterator[WatchEvent]:
        """Everything stored now as ADDED, then every change, in order, without gaps, until the iterator is closed.

        Without a name: of every resource, also of custom ones that are defined later.
        """
        ...


class LogSource(Protocol):
    """Where the API server reads a container's output."""

    def logs(self, pod: Object, container: str, request: LogRequest) -> AsyncIterator[bytes]:
        """Whole lines, each with its line feed, until the end (or for ever with `follow`)."""
        ...


class Session(Protocol):
    """Somebody's hold on a program of a container: its streams and its end.

    Attributes:
        outputs: what the program writes from now on, by stream; each ends when the program has closed it.
    """

    outputs: Mapping[Literal["stdout", "stderr"], AsyncIterator[bytes]]

    async def write(self, data: bytes) -> None:
        """Give it input; to one that does not listen any more this does nothing."""
        ...

    def close_input(self) -> None:
        """There is no more input."""
        ...

    def resize(self, columns: int, rows: int) -> None:
        """Tell it the size of its terminal, if it has one."""
        ...

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        ...

    async def close(self) -> None:
        """Let go: what was started for this session ends, what ran before goes on."""
        ...


class PodStreams(Protocol):
    """Where the API server finds the inside of running pods.

    Each raises `aegis.localcluster.status.ApiError` where there is nothing to reach, with the kubelet's reason.
    """

    async def execute(self, pod: Object, container: str, argv: Sequence[str], *, stdin: bool, tty: bool) -> Session:
        """Start a program in a container."""
        ...

    async def attach(self, pod: Object, container: str, *, stdin: bool) -> Session:
        """Take hold of a container's own program."""
        ...

    async def dial(self, pod_uid: str, port: int) -> socket.socket:
        """A connection (a non-blocking socket) to a port inside a pod.

        Raises:
            LookupError: the pod does not run.
            OSError: nothing listens there.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerUsage:
    """What a container uses: `cpu` in cores (over a window), `memory` in bytes."""

    cpu: float
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PodUsage:
    """What a pod's containers used in the `window` (real seconds) that ended `at` a moment (aware UTC)."""

    at: datetime
    window: float
    containers: Mapping[str, ContainerUsage]


class UsageSource(Protocol):
    """Where the meter reads what containers have used."""

    async def usage(self, pod_uid: str) -> Mapping[str, Mapping[str, float]]:
        """By container: `memory` in bytes, `cpu` in seconds of processor time; empty where the pod does not run."""
        ...


class MetricsSource(Protocol):
    """Where the API server and the autoscaler read what pods use."""

    def usage(self, pod_uid: str) -> PodUsage | None:
        """What a pod uses, or None where that is not known (yet)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRequest:
    """The query of `GET …/pods/NAME/log`.

    Attributes:
        previous: the output of the run before the current one.
        follow: keep sending as lines come.
        timestamps: put the RFC 3339 time with nanoseconds before each line.
        since: only lines at or after this time (seconds since the epoch).
        tail_lines: only the last so many.
        limit_bytes: stop after so many bytes.
    """

    previous: bool = False
    follow: bool = False
    timestamps: bool = False
    since: float | None = None
    tail_lines: int | None = None
    limit_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The local cluster's time scale: it divides delays, back-offs and windows, never timestamps.

    Attributes:
        scale: how many times faster than a real cluster (1 = real time).
    """

    scale: float = 1.0

    def real(self, seconds: float) -> float:
        """The wall-clock seconds that a nominal delay takes here."""
        return seconds / self.scale
