"""The causal graph: the objects that the evidence shows or names, and what ties them together.

Nodes are objects; an object that something names and that the evidence does not hold is a node too, without content.
Edges lead from what depends to what it depends on, but for ownership, which leads from the owner down.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from aegis.diagnosis.reading import event_time, items, mapping, number, text
from aegis.evidence.tables import AGE
from aegis.model.evidence import Evidence, Tier
from aegis.model.refs import Json, ObjectRef

Key = tuple[str, str, str]
"""Kind, namespace, name: what names an object within one cluster, whatever version it was read in."""

_CLUSTER_SCOPED = frozenset({
    "Node",
    "PersistentVolume",
    "StorageClass",
    "PriorityClass",
    "RuntimeClass",
    "IngressClass",
    "Namespace",
    "MutatingWebhookConfiguration",
})


class Tie(StrEnum):
    """Why one object matters to another."""

    OWNS = "owns"
    SELECTS = "selects"
    REFERENCES = "references"
    RUNS_ON = "runs on"
    TARGETS = "targets"
    RUNS = "runs"
    """A workload and its pods, through whatever controllers stand between."""
    CALLS = "calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One tie. `detail` says where it was read: a path within the object, a host name in a variable."""

    source: Key
    tie: Tie
    target: Key
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One object; `obj` is empty and `evidence_id` too where something only names it."""

    ref: ObjectRef
    obj: Json = field(default_factory=dict)
    evidence_id: str = ""

    @property
    def key(self) -> Key:
        """What names it."""
        return key_of(self.ref)

    @property
    def present(self) -> bool:
        """Whether the evidence holds it."""
        return bool(self.obj)

    @property
    def metadata(self) -> Json:
        """Its metadata."""
        return mapping(self.obj.get("metadata"))

    @property
    def spec(self) -> Json:
        """Its spec."""
        return mapping(self.obj.get("spec"))

    @property
    def status(self) -> Json:
        """Its status."""
        return mapping(self.obj.get("status"))

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return {str(k): str(v) for k, v in mapping(self.metadata.get("labels")).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventNode:
    """One Event, read."""

    evidence_id: str
    tier: Tier
    about: Key
    type: str
    reason: str
    message: str
    at: datetime | None
    count: int
    age: int
    raw: Json

    @property
    def line(self) -> str:
        """As a person reads it."""
        return f"{self.type} {self.reason}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogNode:
    """What one run of a container wrote."""

    evidence_id: str
    container: str
    previous: bool
    lines: tuple[str, ...]


def surely_absent(graph: Graph, kind: str, namespace: str, name: str) -> bool:
    """Whether all objects of that kind and namespace were listed and this one is not among them."""
    return graph.was_listed(kind, namespace) and graph.get(kind, namespace, name) is None


def key_of(ref: ObjectRef) -> Key:
    """The key of a reference; cluster-scoped kinds have no namespace, whatever the reference says."""
    return (ref.kind, "" if ref.kind in _CLUSTER_SCOPED else ref.namespace, ref.name)


class Graph:
    """The objects, events and logs of one analysis, by what one looks for. Built by `aegis.diagnosis.ties.build`."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        self.evidence = tuple(evidence)
        self._nodes: dict[Key, Node] = {}
        self._kinds: dict[tuple[str, str | None], list[Node]] = defaultdict(list)
        self._events: dict[Key, list[EventNode]] = defaultdict(list)
        self._logs: dict[Key, list[LogNode]] = defaultdict(list)
        self._out: dict[tuple[Key, Tie], list[Edge]] = defaultdict(list)
        self._into: dict[tuple[Key, Tie], list[Edge]] = defaultdict(list)
        self._alerts: dict[Key, list[Evidence]] = defaultdict(list)
        self._listed: set[tuple[str, str]] = set()
        for item in sorted(evidence, key=_order):
            self._take(item)
        for events in self._events.values():
            events.sort(key=lambda event: (event.at is not None, event.at, -event.age))

    # ── objects ──────────────────────────────────────────────────────────────────────────────────────────────────

    def get(self, kind: str, namespace: str, name: str) -> Node | None:
        """The object, or None where the evidence does not hold it."""
        node = self._nodes.get((kind, "" if kind in _CLUSTER_SCOPED else namespace, name))
        return node if node is not None and node.present else None

    def node(self, key: Key, *, api_version: str = "v1") -> Node:
        """The object, or a node without content in its name."""
        kind, namespace, name = key
        found = self._nodes.get(key)
        return found or Node(ref=ObjectRef(api_version=api_version, kind=kind, name=name, namespace=namespace))

    def of_kind(self, kind: str, namespace: str | None = None) -> tuple[Node, ...]:
        """The objects of a kind that the evidence holds, of one namespace or of all, by name."""
        return tuple(self._kinds.get((kind, namespace), ()))

    def objects(self) -> tuple[Node, ...]:
        """Everything that the evidence holds, in its order."""
        return tuple(node for node in self._nodes.values() if node.present)

    def was_listed(self, kind: str, namespace: str) -> bool:
        """Whether all objects of that kind and namespace are in the evidence."""
        scope = "" if kind in _CLUSTER_SCOPED else namespace
        return (kind, scope) in self._listed or (kind, "*") in self._listed

    # ── what was observed about them ─────────────────────────────────────────────────────────────────────────────

    def events(self, key: Key) -> tuple[EventNode, ...]:
        """The Events about an object, the oldest first."""
        return tuple(self._events.get(key, ()))

    def logs(self, key: Key, container: str = "") -> tuple[LogNode, ...]:
        """The output of a pod's containers, or of one: the run before the current one first, since it died."""
        found = [log for log in self._logs.get(key, ()) if not container or log.container in {container, ""}]
        return tuple(sorted(found, key=lambda log: not log.previous))

    def alerts(self, key: Key) -> tuple[Evidence, ...]:
        """The alerts that speak of an object."""
        return tuple(self._alerts.get(key, ()))

    # ── ties ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def tie(self, edges: Iterable[Edge]) -> None:
        """Add ties (while building)."""
        for edge in edges:
            self._out[edge.source, edge.tie].append(edge)
            self._into[edge.target, edge.tie].append(edge)

    def out(self, key: Key, tie: Tie) -> tuple[Edge, ...]:
        """The ties that leave an object."""
        return tuple(self._out.get((key, tie), ()))

    def into(self, key: Key, tie: Tie) -> tuple[Edge, ...]:
        """The ties that end at an object."""
        return tuple(self._into.get((key, tie), ()))

    # ── taking in ────────────────────────────────────────────────────────────────────────────────────────────────

    def _take(self, item: Evidence) -> None:
        match item.source:
            case "object":
                self._take_object(item)
            case "event":
                self._take_event(item)
            case "log" | "log-previous":
                self._take_log(item)
            case "note":
                listed = items(item.payload.get("listed"))
                self._listed.update((text(entry.get("kind")), text(entry.get("namespace"))) for entry in listed)
            case "alert":
                self._alerts[key_of(item.subject)].append(item)
            case _:
                pass

    def _take_log(self, item: Evidence) -> None:
        log = LogNode(
            evidence_id=item.id,
            container=text(item.payload.get("container")),
            previous=item.source == "log-previous",
            lines=tuple(str(line) for line in item.payload.get("lines") or ()),
        )
        self._logs[key_of(item.subject)].append(log)

    def _take_object(self, item: Evidence) -> None:
        key = key_of(item.subject)
        if key in self._nodes:
            return
        node = Node(ref=item.subject, obj=item.payload, evidence_id=item.id)
        self._nodes[key] = node
        for scope in (None, item.subject.namespace):
            self._kinds[item.subject.kind, scope].append(node)

    def _take_event(self, item: Evidence) -> None:
        event = item.payload
        about = key_of(item.subject)
        self._events[about].append(
            EventNode(
                evidence_id=item.id,
                tier=item.tier,
                about=about,
                type=text(event.get("type")),
                reason=text(event.get("reason")),
                message=text(event.get("message") or event.get("note")),
                at=event_time(event),
                count=_count(event),
                age=number(event.get(AGE)),
                raw=event,
            )
        )


def _order(item: Evidence) -> tuple[str, ...]:
    """One order, whatever order the evidence came in."""
    return (item.subject.kind, item.subject.namespace, item.subject.name, item.source, item.id.zfill(12))


def _count(event: Json) -> int:
    count: Any = event.get("count") or mapping(event.get("series")).get("count") or 1
    return count if isinstance(count, int) else 1
