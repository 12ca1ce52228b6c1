"""What Falco's logs tell of one namespace: whose alerts they are, which nodes were watched, and what is not known."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from aegis.errors import NotFound, PermissionDenied
from aegis.evidence.attribution import SHORTEST_ID, UNKNOWN, Attribution, containers_of
from aegis.evidence.falco import AlertLog, FalcoPlace, Found, Seen, Sentry, find_falco, nanoseconds
from aegis.falco.alert import Alert, parse_moment
from aegis.falco.priority import Priority
from aegis.model.redact import redact_object, redact_text
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.scan import Runtime
from aegis.model.security import Category, SecurityFinding, Severity
from aegis.ports import ClusterReader

_OURS: Final = "ours"
_AT_ONCE: Final = 8
_MOST_SENTRIES: Final = 100
"""Beyond so many pods of Falco only those on the nodes of the namespace are read."""
_MOST_KEPT, _MOST_SHOWN = 20_000, 1000
_LONGEST: Final = 500
SETTLED: Final = 1.5
"""Seconds after a window's end by which Falco has written what happened within, and that it dropped something."""
_REFERENCE: Final = "https://falco.org/docs/reference/rules/default-rules/"
SEVERITIES: Final = {
    Priority.EMERGENCY: Severity.CRITICAL,
    Priority.ALERT: Severity.CRITICAL,
    Priority.CRITICAL: Severity.CRITICAL,
    Priority.ERROR: Severity.HIGH,
    Priority.WARNING: Severity.HIGH,
    Priority.NOTICE: Severity.MEDIUM,
    Priority.INFORMATIONAL: Severity.LOW,
    Priority.DEBUG: Severity.LOW,
}
"""Warning is high: from that priority on alerts count, as from high on findings do."""


@dataclass(slots=True, kw_only=True)
class Whereabouts:
    """Where the pods of a namespace run, and by which ids their containers are known.

    Attributes:
        nodes: of all its pods, of those that are gone too as far as events tell.
        containers: ids with their pods' names, by how they begin.
        workloads: for each pod's name what made it.
        elsewhere: ids of containers of other namespaces.
        notes: what could not be asked.
    """

    nodes: set[str] = field(default_factory=set)
    containers: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    workloads: dict[str, ObjectRef] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def take(self, pod: Json) -> None:
        """Take in a pod of the namespace."""
        name = str(pod["metadata"]["name"])
        self.nodes |= {node for node in [str((pod.get("spec") or {}).get("nodeName") or "")] if node}
        for container, _ in containers_of(pod):
            known = self.containers.setdefault(container[:SHORTEST_ID], [])
            if (container, name) not in known:
                known.append((container, name))
        self.workloads[name] = _workload(pod)

    def meet(self, pod: Json, namespace: str) -> None:
        """Take in a pod, of this namespace or of another."""
        if pod["metadata"].get("namespace") == namespace:
            self.take(pod)
        else:
            self.elsewhere |= {container for container, _ in containers_of(pod)}

    def pod_of(self, container_id: str) -> str | None:
        """The name of the pod that a container with this id is of, or with one that begins so."""
        known = self.containers.get(container_id[:SHORTEST_ID]) if len(container_id) >= SHORTEST_ID else None
        return next((name for whole, name in known or () if whole.startswith(container_id)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What was seen of a namespace.

    Attributes:
        subject: the namespace and the window.
        found: who watched.
        where: the namespace's pods.
        nodes: which nodes had to be watched.
        watched: those of them on which nothing can have gone unseen.
        lapses: why something may have, on the others.
        notes: what else limits the look.
        alerts: of the namespace, at or above the threshold, in the order of events.
        below: how many of the namespace are below it.
        nobodys: alerts at or above it that may be anybody's.
        lines: how many lines were read.
    """

    subject: Runtime
    found: Found
    where: Whereabouts = field(default_factory=Whereabouts)
    nodes: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()
    lapses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    alerts: tuple[Seen, ...] = ()
    below: int = 0
    nobodys: tuple[Seen, ...] = ()
    lines: int = 0

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why silence proves nothing; empty where it does."""
        if not self.nobodys:
            return self.lapses
        first = _shown(self.nobodys[0].alert.rule or self.nobodys[0].alert.message)
        words = f"{len(self.nobodys)} alerts name no namespace, and no container that is known: {first}"
        return (*self.lapses, words)

    @property
    def digest(self) -> str:
        """SHA-256 of the alerts."""
        told = "\n".join(one.alert.output for one in self.alerts).encode("utf-8", "replace")
        return f"sha256:{hashlib.sha256(told).hexdigest()}" if self.alerts else ""

    def to_dict(self) -> JsonObject:
        """For reports; at most a thousand alerts, secrets taken out."""
        return {
            "namespace": self.subject.namespace,
            "since": self.subject.since.isoformat(),
            "until": self.subject.until.isoformat(),
            "falco_namespaces": sorted({one.namespace for one in self.found.sentries}),
            "label_selectors": list(self.found.labels),
            "lines": self.lines,
            "alert_count": len(self.alerts),
            "below_threshold": self.below,
            "unattributed": len(self.nobodys),
            "by_priority": dict(Counter(one.alert.priority.word for one in self.alerts)),
            "alerts": [shown_alert(one) for one in self.alerts[:_MOST_SHOWN]],
        }


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
    nodes = where.nodes or await _every_node(reader, subject, found, where)
    watch = _Watch(subject=subject, reader=reader, threshold=threshold, where=where)
    await asyncio.sleep((subject.until - datetime.now(UTC)).total_seconds() + SETTLED)
    await watch.read(found.sentries if len(found.sentries) <= _MOST_SENTRIES else _on(found, nodes))
    alerts, below, nobodys = await watch.sorted_out()
    lapses = _lapses(nodes, await find_falco(reader, place), watch.logs, subject)
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


async def _every_node(reader: ClusterReader, subject: Runtime, found: Found, where: Whereabouts) -> set[str]:
    """Of a namespace without pods no node can be left out.

    Raises:
        NotFound: if there is no such namespace.
    """
    ref = ObjectRef(api_version="v1", kind="Namespace", name=subject.namespace)
    try:
        if await reader.find(ref) is None:
            raise NotFound(f"there is no namespace {subject.namespace}")
        nodes = {str(one["metadata"]["name"]) for one in await reader.list("v1", "Node")}
    except PermissionDenied:
        nodes = set()
    where.notes.append(f"no pod of {subject.namespace} is there now: every node was asked")
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


def _lapses(nodes: set[str], found: Found, logs: Mapping[str, AlertLog], subject: Runtime) -> dict[str, list[str]]:
    """For each node why something may have gone unseen there: one pod of Falco that saw everything is enough."""
    lapses = {}
    for node in nodes:
        posts = [
            [*one.lapses(subject.since), *(logs[one.uid].faults if one.uid in logs else [f"{one.name} came meanwhile"])]
            for one in found.on(node)
        ]
        lapses[node] = min(posts, key=len, default=[f"no Falco watches {node}"])
    return lapses


# ── as findings and in reports ───────────────────────────────────────────────────────────────────────────────────────


def findings_of(sight: Sight, *, source: str) -> tuple[SecurityFinding, ...]:
    """One finding for each rule, workload and process, however often it happened."""
    grouped: dict[tuple[str, ObjectRef, str], list[Seen]] = {}
    for one in sight.alerts:
        process = one.alert.text("proc.exepath") or one.alert.text("proc.name")
        rule = one.alert.rule or one.alert.message
        grouped.setdefault((_shown(rule), _subject(sight, one.alert), _shown(process)), []).append(one)
    return tuple(_finding(source, key, seen) for key, seen in grouped.items())


def _finding(source: str, key: tuple[str, ObjectRef, str], seen: list[Seen]) -> SecurityFinding:
    rule, subject, process = key
    gravest, first = min(one.alert.priority for one in seen), seen[0]
    times = f"{len(seen)} times, from {first.at:%H:%M:%S} to {seen[-1].at:%H:%M:%S} UTC" if len(seen) > 1 else "once"
    return SecurityFinding(
        source=source,
        rule_id=rule,
        severity=SEVERITIES[gravest],
        title=f"{gravest.word}: {rule}",
        description=f"{times}: {_shown(redact_text(first.alert.output))}",
        subject=subject,
        location=process,
        reference=_REFERENCE,
        category=Category.RUNTIME,
    )


def _subject(sight: Sight, alert: Alert) -> ObjectRef:
    namespace = sight.subject.namespace
    pod = alert.text("k8s.pod.name") or sight.where.pod_of(alert.text("container.id")) or ""
    if pod in sight.where.workloads:
        return sight.where.workloads[pod]
    if not pod:
        return ObjectRef(api_version="v1", kind="Namespace", name=namespace)
    return ObjectRef(api_version="v1", kind="Pod", name=_shown(pod), namespace=namespace)


def _workload(pod: Json) -> ObjectRef:
    """What made a pod, as far as the pod itself says: a ReplicaSet's Deployment by the hash in its name."""
    metadata, template_hash = (
        pod["metadata"],
        str((pod["metadata"].get("labels") or {}).get("pod-template-hash") or "-"),
    )
    owner = next((one for one in metadata.get("ownerReferences") or [] if one.get("controller")), None)
    if owner is None:
        return replace(ObjectRef.of(pod), api_version="v1", kind="Pod")
    api_version, kind, name = str(owner.get("apiVersion")), str(owner.get("kind")), str(owner.get("name"))
    if kind == "ReplicaSet" and name.endswith(f"-{template_hash}"):
        kind, name = "Deployment", name.removesuffix(f"-{template_hash}")
    return ObjectRef(api_version=api_version, kind=kind, name=name, namespace=str(metadata.get("namespace") or ""))


def shown_alert(seen: Seen) -> JsonObject:
    """An alert as Falco wrote it, secrets taken out; of a line of text what could be parsed of it."""
    alert = seen.alert
    parsed = {
        "output": alert.output,
        "priority": alert.priority.word,
        "rule": alert.rule,
        "output_fields": dict(alert.fields),
        "time": seen.at.isoformat().replace("+00:00", "Z"),
        "from_text": True,
    }
    shown: JsonObject = redact_object(dict(alert.document) or parsed)
    return shown


def _shown(words: str) -> str:
    """Somebody else's words, fit for a line: nothing that a terminal would obey, and not endless."""
    plain = "".join(char if char.isprintable() else "?" for char in words)
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"
