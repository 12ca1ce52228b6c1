"""What Falco's logs tell of one namespace: whose alerts they are, which nodes were watched, and what is not known."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from aegis.errors import NotFound, PermissionDenied
from aegis.evidence.attribution import UNKNOWN, Attribution
from aegis.evidence.falco import AlertLog, FalcoPlace, Found, Seen, Sentry, find_falco, nanoseconds
from aegis.falco.alert import parse_moment
from aegis.falco.priority import Priority
from aegis.model.refs import ObjectRef
from aegis.model.scan import Runtime
from aegis.ports import ClusterReader
from aegis.security.sight import Sight, Whereabouts

_OURS: Final = "ours"
_AT_ONCE: Final = 8
_MOST_SENTRIES: Final = 100
"""Beyond so many pods of Falco only those on the nodes of the namespace are read."""
_MOST_KEPT: Final = 20_000
SETTLED: Final = 1.5
"""Seconds after a window's end by which Falco has written what happened within, and that it dropped something."""


async def see(subject: Runtime, reader: ClusterReader, place: FalcoPlace, threshold: Priority) -> Sight:
    """Look at what the pods of Falco logged, which are at this place; without any, nothing is looked at.

    Raises:
        PermissionDenied: if pods may not be listed.
        NotFound: if there is no such namespace.
        Unavailable: if the cluster does not answer.
    """
    found, where = await find_falco(reader, place), Whereabouts()
    if not found.sentries:
        return Sight(subject=subject, found=found)
    await _ask(where, reader, subject)
    begin = await _begin(reader, subject, where)
    nodes = where.nodes or await _every_node(reader, subject, found, where)
    watch = _Watch(subject=subject, reader=reader, threshold=threshold, where=where)
    await asyncio.sleep((subject.until - datetime.now(UTC)).total_seconds() + SETTLED)
    await watch.read(found.sentries if len(found.sentries) <= _MOST_SENTRIES else _on(found, nodes))
    alerts, below, nobodys = await watch.sorted_out()
    lapses = _lapses(nodes, await find_falco(reader, place), watch.logs, begin)
    if watch.matching > _MOST_KEPT:
        where.notes.append(f"{watch.matching} alerts: only {_MOST_KEPT} of them were kept")
    return Sight(
        subject=subject,
        found=found,
        nodes=tuple(sorted(nodes)),
        watched=tuple(sorted(node for node in nodes if not lapses[node])),
        lapses=tuple(dict.fromkeys(words for node in sorted(nodes) for words in lapses[node])),
        notes=tuple(where.notes),
        alerts=alerts,
        below=below,
        nobodys=nobodys,
        where=where,
        lines=sum(log.lines for log in watch.logs.values()),
    )


async def _ask(where: Whereabouts, reader: ClusterReader, subject: Runtime) -> None:
    """Where pods of the namespace run, and ran: events still tell of those that are gone."""
    for pod in await reader.list("v1", "Pod", namespace=subject.namespace):
        where.take(pod)
    try:
        events = await reader.list("v1", "Event", namespace=subject.namespace, fields="reason=Scheduled")
    except PermissionDenied:
        where.notes.append("events may not be listed: on which nodes pods ran that are gone is not known")
        return
    for event in events:
        moment = parse_moment(str(event.get("lastTimestamp") or event.get("eventTime") or ""))
        assigned = str(event.get("message") or "").rpartition(" to ")
        if event.get("reason") == "Scheduled" and assigned[0] and (moment or 0) <= nanoseconds(subject.until):
            where.nodes.add(assigned[2])


async def _begin(reader: ClusterReader, subject: Runtime, where: Whereabouts) -> datetime:
    """From when on the namespace had to be watched: before it was made nobody was in it.

    Raises:
        NotFound: if there is no such namespace.
    """
    try:
        namespace = await reader.find(ObjectRef(api_version="v1", kind="Namespace", name=subject.namespace))
    except PermissionDenied:
        return subject.since
    if namespace is None and not where.workloads:
        raise NotFound(f"there is no namespace {subject.namespace}")
    made = parse_moment(str(((namespace or {}).get("metadata") or {}).get("creationTimestamp")))
    return max(subject.since, datetime.fromtimestamp(made // 10**9, UTC)) if made else subject.since


async def _every_node(reader: ClusterReader, subject: Runtime, found: Found, where: Whereabouts) -> set[str]:
    """Of a namespace without pods no node can be left out."""
    where.notes.append(f"no pod of {subject.namespace} is there now: every node was asked")
    try:
        nodes = {str(one["metadata"]["name"]) for one in await reader.list("v1", "Node")}
    except PermissionDenied:
        nodes = set()
    return nodes | {one.node for one in found.sentries}


@dataclass(slots=True, kw_only=True)
class _Watch:
    """One look at Falco's logs.

    Attributes:
        subject: the namespace and the window.
        reader: of the cluster.
        threshold: the lowest priority that counts.
        where: the namespace's pods.
        logs: of Falco's pods, by their uids.
        matching: how many alerts would be kept; beyond a bound they are not.
    """

    subject: Runtime
    reader: ClusterReader
    threshold: Priority
    where: Whereabouts
    logs: dict[str, AlertLog] = field(default_factory=dict)
    matching: int = 0

    async def read(self, sentries: Iterable[Sentry]) -> None:
        """Read the logs of these pods, each whole."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def read(log: AlertLog) -> None:
            async with turns:
                await log.read()
                await log.check_whole()

        async with asyncio.TaskGroup() as group:
            for sentry in sentries:
                log = self.logs[sentry.uid] = AlertLog(self.reader, sentry, self.subject.since, self._matters)
                group.create_task(read(log))

    async def sorted_out(self) -> tuple[tuple[Seen, ...], int, tuple[Seen, ...]]:
        """The namespace's alerts that count, how many of its do not, and those that count and may be anybody's."""
        seen = sorted((one for log in self.logs.values() for one in log.alerts), key=lambda one: one.at_ns)
        doubtful = {one.node for one in seen if self._whose(one) == UNKNOWN}
        if doubtful:
            await self._ask_who_else(doubtful)
        ours = [one for one in seen if self._whose(one) == _OURS]
        counting = tuple(one for one in ours if self._counts(one))
        nobodys = tuple(one for one in seen if self._counts(one) and self._whose(one) == UNKNOWN)
        return counting, len(ours) - len(counting), nobodys

    def _matters(self, seen: Seen) -> bool:
        if not nanoseconds(self.subject.since) <= seen.at_ns <= nanoseconds(self.subject.until):
            return False
        whose = self._whose(seen)
        matters = whose == _OURS or (whose == UNKNOWN and self._counts(seen))
        self.matching += matters
        return matters and self.matching <= _MOST_KEPT

    def _counts(self, seen: Seen) -> bool:
        return seen.alert.priority.at_least(self.threshold)

    def _whose(self, seen: Seen) -> str:
        known = Attribution(
            namespaces={self.subject.namespace: _OURS},
            container=lambda container: _OURS if self.where.pod_of(container) else None,
            elsewhere=self.where.elsewhere,
        )
        return known.whose(seen.alert)

    async def _ask_who_else(self, nodes: set[str]) -> None:
        """Every pod of these nodes: a container that is somebody else's is nobody's riddle."""
        for node in sorted(nodes):
            try:
                pods = await self.reader.list("v1", "Pod", fields=f"spec.nodeName={node}")
            except PermissionDenied:
                self.where.notes.append("pods of other namespaces may not be listed")
                return
            for pod in pods:
                self.where.meet(pod, self.subject.namespace)


def _on(found: Found, nodes: set[str]) -> list[Sentry]:
    return [one for one in found.sentries if one.node in nodes]


def _lapses(nodes: set[str], found: Found, logs: Mapping[str, AlertLog], begin: datetime) -> dict[str, list[str]]:
    """For each node why something may have gone unseen there: one pod of Falco that saw everything is enough."""
    lapses = {}
    for node in nodes:
        posts = [
            [*one.lapses(begin), *(logs[one.uid].faults if one.uid in logs else [f"{one.name} came meanwhile"])]
            for one in found.on(node)
        ]
        lapses[node] = min(posts, key=len, default=[f"no Falco watches {node}"])
    return lapses
