"""Turns what was read into evidence: redacted, bounded, in one order, numbered.

Whatever the source, the same observations give the same evidence with the same ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aegis.model.drift import spec_hash
from aegis.model.evidence import Evidence, Tier
from aegis.model.redact import redact_object, redact_text
from aegis.model.refs import Json, JsonObject, ObjectRef

SPEC_HASHES = "aegis.io/spec-hashes"
"""Where an object whose content was redacted keeps the digests of what it really holds: with `spec.replicas`, without."""

_TRUSTED_COMPONENTS = frozenset({
    "kubelet", "default-scheduler", "deployment-controller", "replicaset-controller", "statefulset-controller",
    "daemonset-controller", "daemon-set-controller", "job-controller", "cronjob-controller", "replication-controller",
    "node-controller", "persistentvolume-controller", "attachdetach-controller", "attach-detach-controller",
    "horizontal-pod-autoscaler", "endpoint-slice-controller", "endpoint-controller", "garbage-collector-controller",
    "resourcequota-controller", "taint-eviction-controller", "controllermanager", "kernel-monitor", "pod-garbage-collector",
})  # fmt: skip
_LONGEST_LINE = 2000
_MOST_OBJECT_BYTES = 512 * 1024
_SOURCES = {"object": 0, "event": 1, "log-previous": 2, "log": 3, "metric": 4, "alert": 5, "note": 6}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    source: str
    tier: Tier
    subject: ObjectRef
    observed_at: datetime | None
    summary: str
    payload: Json

    @property
    def order(self) -> tuple[object, ...]:
        ref = self.subject
        detail = self.payload.get("container", "") if self.source.startswith("log") else ""
        if self.source == "event":
            detail = f"{_time(self.payload)} {self.payload.get('reason')} {self.payload.get('message')}"
        if self.source in {"alert", "note", "metric"}:
            detail = self.summary
        return (_SOURCES.get(self.source, 9), ref.namespace, ref.kind, ref.name, str(detail))


@dataclass(slots=True)
class Ledger:
    """Collects observations; `evidence` numbers them."""

    _entries: list[_Entry] = field(default_factory=list)
    _objects: set[tuple[str, str, str]] = field(default_factory=set)

    def object(self, obj: Json, *, observed_at: datetime | None = None) -> bool:
        """Take an object; the first of a name wins. Whether it was new."""
        ref = ObjectRef.of(obj)
        key = (ref.kind, ref.namespace, ref.name)
        if not ref.kind or not ref.name or key in self._objects:
            return False
        self._objects.add(key)
        self._add(
            "object", Tier.STATUS, ref, observed_at=observed_at, summary=f"{ref.kind} {ref.name}", payload=_kept(obj)
        )
        return True

    def event(self, event: Json) -> None:
        """Take an Event: trusted as far as its source component is."""
        about = event.get("involvedObject") or event.get("regarding") or {}
        if not isinstance(about, Mapping):
            return
        ref = ObjectRef(
            api_version=str(about.get("apiVersion") or "v1"),
            kind=str(about.get("kind") or ""),
            name=str(about.get("name") or ""),
            namespace=str(about.get("namespace") or ""),
        )
        payload = {key: value for key, value in event.items() if key != "metadata"}
        payload["metadata"] = {
            key: value
            for key, value in (event.get("metadata") or {}).items()
            if key in {"name", "namespace", "uid", "creationTimestamp"}
        }
        payload = redact_object(payload)
        summary = f"{event.get('type', '')} {event.get('reason', '')} on {ref}"
        self._add("event", event_tier(event), ref, observed_at=_parsed(_time(event)), summary=summary, payload=payload)

    def log(
        self, pod: ObjectRef, container: str, text: str, *, previous: bool = False, observed_at: datetime | None = None
    ) -> None:
        """Take a container's output; nothing where it wrote nothing."""
        lines = [line[:_LONGEST_LINE] for line in redact_text(text).splitlines()]
        if not any(line.strip() for line in lines):
            return
        source = "log-previous" if previous else "log"
        of_which = "the run before of " if previous else ""
        summary = f"output of {of_which}container {container or '?'} of {pod.kind} {pod.name}"
        payload = {"container": container, "lines": lines}
        self._add(source, Tier.LOG, pod, observed_at=observed_at, summary=summary, payload=payload)

    def note(self, subject: ObjectRef, summary: str, payload: Json | None = None) -> None:
        """Take a remark about the reading itself."""
        self._add("note", Tier.STATUS, subject, summary=redact_text(summary), payload=payload or {})

    def alert(self, subject: ObjectRef, summary: str, payload: Json, *, tier: Tier = Tier.METRIC) -> None:
        """Take what a monitoring system said."""
        self._add("alert", tier, subject, summary=redact_text(summary), payload=redact_object(dict(payload)))

    def metric(self, subject: ObjectRef, name: str, labels: Mapping[str, str], value: float) -> None:
        """Take one measurement."""
        payload = {"name": name, "labels": dict(labels), "value": value}
        self._add("metric", Tier.METRIC, subject, summary=f"{name} of {subject}", payload=payload)

    def evidence(self) -> tuple[Evidence, ...]:
        """All that was taken, in its order, with the ids e1, e2 and so on."""
        ordered = sorted(self._entries, key=lambda entry: entry.order)
        return tuple(
            Evidence(
                id=f"e{index}",
                source=entry.source,
                tier=entry.tier,
                subject=entry.subject,
                observed_at=entry.observed_at,
                summary=entry.summary,
                payload=entry.payload,
            )
            for index, entry in enumerate(ordered, start=1)
        )

    def _add(
        self,
        source: str,
        tier: Tier,
        subject: ObjectRef,
        *,
        summary: str,
        payload: Json,
        observed_at: datetime | None = None,
    ) -> None:
        entry = _Entry(
            source=source, tier=tier, subject=subject, observed_at=observed_at, summary=summary, payload=payload
        )
        self._entries.append(entry)


def spec_hash_of(obj: Json, *, autoscaled: bool = False) -> str:
    """`aegis.model.drift.spec_hash` of an object of the evidence, as the live object has it although this is redacted."""
    kept = obj.get(SPEC_HASHES)
    if isinstance(kept, list) and len(kept) == 2:  # noqa: PLR2004 - with replicas, and without
        return str(kept[1 if autoscaled else 0])
    return spec_hash(obj, autoscaled=autoscaled)


def event_tier(event: Json) -> Tier:
    """How far an Event is trusted: anybody may write one, but only components have these names by convention."""
    source = event.get("source")
    component = str(source.get("component") or "") if isinstance(source, Mapping) else ""
    component = component or str(event.get("reportingComponent") or event.get("reportingController") or "")
    return Tier.EVENT if component in _TRUSTED_COMPONENTS else Tier.ANNOTATION


def _kept(obj: Json) -> JsonObject:
    """The object without secrets and without what is too large to be of use."""
    plain: JsonObject = {key: value for key, value in obj.items() if key != SPEC_HASHES}
    metadata = plain.get("metadata")
    if plain.get("kind") == "Secret":
        plain = _keys_only(plain)
    elif isinstance(metadata, Mapping) and _size(plain) > _MOST_OBJECT_BYTES:
        plain = {key: value for key, value in plain.items() if key not in {"data", "binaryData"}}
    redacted: JsonObject = redact_object(plain)
    if redacted != obj:
        redacted[SPEC_HASHES] = [spec_hash(obj), spec_hash(obj, autoscaled=True)]
    return redacted


def _size(obj: JsonObject) -> int:
    """The characters of a ConfigMap's content: no other kind can be as large."""
    contents = (obj.get(name) for name in ("data", "binaryData"))
    return sum(len(str(value)) for content in contents if isinstance(content, Mapping) for value in content.values())


def _keys_only(secret: JsonObject) -> JsonObject:
    """A Secret's keys: what it holds is not evidence."""
    data: dict[str, Any] = {}
    for field_name in ("data", "stringData"):
        data.update(dict.fromkeys(secret.get(field_name) or {}, ""))
    kept: JsonObject = {key: value for key, value in secret.items() if key not in {"data", "stringData"}}
    annotations = (secret.get("metadata") or {}).get("annotations") or {}
    public = {k: v for k, v in annotations.items() if not k.endswith("last-applied-configuration")}
    kept["metadata"] = {**(secret.get("metadata") or {}), "annotations": public}
    return {**kept, "data": data}


def _time(event: Json) -> str:
    series = event.get("series") or {}
    for value in (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime")):
        if value:
            return str(value)
    return str((event.get("metadata") or {}).get("creationTimestamp") or "")


def _parsed(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value) if value else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else None
