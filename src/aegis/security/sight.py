"""What was seen of a namespace at run time: as findings, and in reports."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

from aegis.evidence.attribution import SHORTEST_ID, containers_of
from aegis.evidence.falco import Found, Seen
from aegis.falco.alert import Alert
from aegis.falco.priority import Priority
from aegis.model.redact import redact_object, redact_text
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.scan import Runtime
from aegis.model.security import Category, SecurityFinding, Severity

_MOST_SHOWN: Final = 1000
_LONGEST: Final = 500
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
