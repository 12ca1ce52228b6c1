"""Evidence from a live cluster: objects, events and logs, each kind listed once a namespace.

What is read next depends on what was seen: ConfigMaps only where a pod names one, nodes and limits only where something
is not well, another namespace only where an address leads there. A read that fails is a note, never an exception.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar

from aegis.errors import AegisError, NotFound
from aegis.evidence.ledger import Ledger
from aegis.evidence.relevance import LogChoice, is_unwell, logs_worth_reading, namespaces_called, needed_kinds
from aegis.model.evidence import Evidence
from aegis.model.refs import JsonObject, ObjectRef
from aegis.ports import ClusterReader, EvidenceRequest, LogQuery

CORE: Final = (
    ("v1", "Pod"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("v1", "Service"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("v1", "Event"),
)
"""Kinds that are read of every namespace."""

API_VERSIONS: Final = {
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "ControllerRevision": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "StorageClass": "storage.k8s.io/v1",
    "PriorityClass": "scheduling.k8s.io/v1",
    "Ingress": "networking.k8s.io/v1",
    "IngressClass": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
}
"""Of the kinds that are not in the core group `v1`."""

_Result = TypeVar("_Result")

_CLUSTER_SCOPED: Final = frozenset({"Node", "IngressClass", "PersistentVolume", "StorageClass", "PriorityClass"})
_EVERYTHING: Final = ("StatefulSet", "DaemonSet", "Job", "CronJob", "Ingress", "PodDisruptionBudget")
_AT_ONCE: Final = 8
_MOST_EVENTS: Final = 2000
_MOST_OBJECTS_A_KIND: Final = 5000
_TAIL_LINES: Final = 200
_LOG_BYTES: Final = 64 * 1024
_MOST_NAMESPACES: Final = 3


@dataclass(slots=True)
class _Reading:
    """One collection under way."""

    reader: ClusterReader
    now: datetime
    gate: asyncio.Semaphore
    excluded: frozenset[str] = frozenset()
    ledger: Ledger = field(default_factory=Ledger)
    objects: list[JsonObject] = field(default_factory=list)
    listed: set[tuple[str, str]] = field(default_factory=set)
    asked: set[tuple[str, str]] = field(default_factory=set)

    async def guarded(self, about: ObjectRef, doing: str, work: Callable[[], Awaitable[_Result]]) -> _Result | None:
        """The result of a read, or None and a note."""
        async with self.gate:
            try:
                return await work()
            except NotFound:
                return None
            except AegisError as error:
                self.ledger.note(about, f"{doing}: {error.message}", {"code": error.code})
                return None

    async def take_all(self, api_version: str, kind: str, namespace: str) -> None:
        """Take every object of a kind, of one namespace (or, with an empty one, of all)."""
        scope = "" if kind in _CLUSTER_SCOPED else namespace
        if (kind, scope) in self.asked:
            return
        self.asked.add((kind, scope))
        about = ObjectRef(api_version=api_version, kind=kind, name="", namespace=scope)
        found = await self.guarded(
            about, f"could not list {kind}s", lambda: self.reader.list(api_version, kind, namespace=scope)
        )
        if found is None:
            return
        found = [obj for obj in found if ObjectRef.of(obj).namespace not in self.excluded]
        if kind == "Event":
            self._events(found)
            return
        if len(found) <= _MOST_OBJECTS_A_KIND:
            self.listed.add((kind, "*" if not scope and kind not in _CLUSTER_SCOPED else scope))
        else:
            self.ledger.note(about, f"only {_MOST_OBJECTS_A_KIND} of {len(found)} {kind}s were read")
        for obj in found[:_MOST_OBJECTS_A_KIND]:
            obj.setdefault("apiVersion", api_version)
            obj.setdefault("kind", kind)
            self._take(obj)

    async def take_kinds(self, kinds: Iterable[tuple[str, str]], namespaces: Iterable[str]) -> None:
        """List several kinds of several namespaces at once."""
        async with asyncio.TaskGroup() as group:
            for namespace in namespaces:
                for api_version, kind in kinds:
                    group.create_task(self.take_all(api_version, kind, namespace))

    async def get(self, ref: ObjectRef) -> None:
        """Take one object."""
        found = await self.guarded(ref, f"could not read {ref}", lambda: self.reader.get(ref))
        if found is not None:
            self._take(found)
        elif not any(_is(ref, obj) for obj in self.objects):
            self.ledger.note(ref, f"{ref} is not there")

    async def logs(self, choice: LogChoice) -> None:
        """Take one run of one container's output."""
        query = LogQuery(
            container=choice.container, previous=choice.previous, tail_lines=_TAIL_LINES, limit_bytes=_LOG_BYTES
        )
        pod = ObjectRef(api_version="v1", kind="Pod", name=choice.pod, namespace=choice.namespace)
        text = await self.guarded(
            pod,
            f"could not read the output of {choice.container}",
            lambda: self.reader.logs(choice.namespace, choice.pod, query),
        )
        if text:
            self.ledger.log(pod, choice.container, text, previous=choice.previous, observed_at=self.now)

    def _take(self, obj: JsonObject) -> None:
        if self.ledger.object(obj, observed_at=self.now):
            self.objects.append(obj)

    def _events(self, events: list[JsonObject]) -> None:
        for event in events[-_MOST_EVENTS:]:
            self.ledger.event(event)


class KubernetesEvidence:
    """Reads a cluster.

    Args:
        reader: the cluster.
        clock: what time it is.
    """

    name = "kubernetes"

    def __init__(self, reader: ClusterReader, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._reader = reader
        self._clock = clock

    async def collect(self, request: EvidenceRequest) -> Sequence[Evidence]:
        """Everything that may explain how the target does, or all of the namespaces (none named: of the cluster)."""
        reading = _Reading(
            reader=self._reader, now=self._clock(), gate=asyncio.Semaphore(_AT_ONCE), excluded=request.excluded
        )
        namespaces = sorted({*request.namespaces, *_namespace(request.target)}) or [""]
        await reading.take_kinds([*CORE, *_of_target(request.target)], namespaces)
        if request.target is not None and not any(_is(request.target, obj) for obj in reading.objects):
            await reading.get(request.target)
        if namespaces != [""]:
            called = [other for other in namespaces_called(reading.objects) if other not in namespaces]
            namespaces += called[:_MOST_NAMESPACES]
            await reading.take_kinds(CORE, called[:_MOST_NAMESPACES])
        for _ in range(2):  # what the objects name, then what those name
            await self._needed(reading, namespaces)
        await self._logs(reading, request.target)
        _note_listed(reading)
        return reading.ledger.evidence()

    async def _needed(self, reading: _Reading, namespaces: Sequence[str]) -> None:
        kinds = [(API_VERSIONS.get(kind, "v1"), kind) for kind in needed_kinds(reading.objects)]
        if any(is_unwell(obj) for obj in reading.objects):
            kinds += [("v1", kind) for kind in ("Node", "LimitRange", "ResourceQuota")]
        await reading.take_kinds(kinds, namespaces)

    async def _logs(self, reading: _Reading, target: ObjectRef | None) -> None:
        async with asyncio.TaskGroup() as group:
            for choice in logs_worth_reading(reading.objects, target):
                group.create_task(reading.logs(choice))


def _of_target(target: ObjectRef | None) -> list[tuple[str, str]]:
    """The kinds that only this target makes worth reading; without one, every workload's."""
    if target is None:
        return [(API_VERSIONS[kind], kind) for kind in _EVERYTHING] + [("v1", "PersistentVolumeClaim")]
    core = {kind for _, kind in CORE}
    kinds = (
        [(target.api_version or API_VERSIONS.get(target.kind, "v1"), target.kind)] if target.kind not in core else []
    )
    if target.kind in {"StatefulSet", "DaemonSet"}:
        kinds.append(("apps/v1", "ControllerRevision"))
    if target.kind in {"CronJob", "Job"}:
        kinds += [("batch/v1", "Job"), ("batch/v1", "CronJob")]
    return list(dict.fromkeys(kinds))


def _namespace(target: ObjectRef | None) -> tuple[str, ...]:
    return (target.namespace,) if target is not None and target.namespace not in {"", "-"} else ()


def _is(ref: ObjectRef, obj: JsonObject) -> bool:
    found = ObjectRef.of(obj)
    return (found.kind, found.name) == (ref.kind, ref.name) and ref.namespace in {"", "-", found.namespace}


def _note_listed(reading: _Reading) -> None:
    """Say what was listed in full, so that absence can be told from not having looked."""
    listed = [{"kind": kind, "namespace": namespace} for kind, namespace in sorted(reading.listed)]
    where = ObjectRef(api_version="v1", kind="Namespace", name="")
    reading.ledger.note(where, f"{len(listed)} kinds were listed in full", {"listed": listed})
