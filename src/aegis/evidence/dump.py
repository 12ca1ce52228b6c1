"""Evidence from what was recorded: objects, events, logs and the text that kubectl prints, in files nested at will."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aegis.evidence.alerts import Alert, is_alert, read_alert
from aegis.evidence.describe import TextReading, read_text
from aegis.evidence.documents import Unparsed, documents
from aegis.evidence.files import TextFile, Unread, read_files
from aegis.evidence.ledger import Ledger
from aegis.evidence.log_files import is_log, logs_of
from aegis.model.evidence import Evidence
from aegis.model.refs import JsonObject, ObjectRef

_MOST_LINES: Final = 2000
_NOWHERE: Final = ObjectRef(api_version="v1", kind="Namespace", name="")
_CLUSTER_SCOPED: Final = frozenset({
    "Node",
    "Namespace",
    "PersistentVolume",
    "StorageClass",
    "PriorityClass",
    "ClusterRole",
    "ClusterRoleBinding",
})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """What was read.

    Attributes:
        evidence: all of it.
        unreadable: files that held nothing that could be read, and why.
        target: the object that an alert in it speaks of; None where none does.
    """

    evidence: tuple[Evidence, ...]
    unreadable: tuple[tuple[Path, str], ...]
    target: ObjectRef | None = None


@dataclass(slots=True)
class _Reader:
    ledger: Ledger = field(default_factory=Ledger)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    objects: list[JsonObject] = field(default_factory=list)
    sketches: list[JsonObject] = field(default_factory=list)
    """Objects as `kubectl describe` and `kubectl get` print them: less than whole, so whole ones go before them."""
    events: list[JsonObject] = field(default_factory=list)
    logs: list[TextFile] = field(default_factory=list)
    alerts: list[JsonObject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    listed: set[tuple[str, str]] = field(default_factory=set)

    def take(self, file: TextFile) -> None:
        """Read one file as what its name and its content say that it is."""
        if not file.text.strip():
            self.unreadable.append((file.path, "it is empty"))
        elif is_log(file):
            self.logs.append(file)
        elif (reading := read_text(file.text, hint=file.path.stem)) is not None:
            self._text(reading)
        else:
            self._structured(file)

    def _text(self, reading: TextReading) -> None:
        self.sketches += reading.objects
        self.events += reading.events
        self.notes += reading.notes

    def _structured(self, file: TextFile) -> None:
        try:
            found = [self._document(document) for document in documents(file.text)]
        except Unparsed as error:
            found = [False]
            self.unreadable.append((file.path, str(error)))
            return
        if not any(found):
            self.unreadable.append((file.path, "nothing in it is known"))

    def _document(self, document: Any) -> bool:
        """Take one document; whether it was anything known."""
        if isinstance(document, list):
            known = [self._document(item) for item in document]
            return any(known)
        return isinstance(document, Mapping) and self._mapping(document)

    def _mapping(self, document: Mapping[str, Any]) -> bool:
        kind = str(document.get("kind") or "")
        if isinstance(document.get("items"), list) and (kind.endswith("List") or not kind):
            return self._list(dict(document), kind.removesuffix("List"))
        if kind == "Event" and ("involvedObject" in document or "regarding" in document):
            self.events.append(dict(document))
            return True
        if kind and document.get("metadata"):
            self.objects.append(dict(document))
            return True
        if is_alert(document):
            self.alerts.append(dict(document))
            return True
        return False

    def _list(self, document: JsonObject, kind: str) -> bool:
        items = [item for item in document["items"] if isinstance(item, dict)]
        for item in items:
            if kind:
                item.setdefault("kind", kind)
                item.setdefault("apiVersion", document.get("apiVersion") or "v1")
            self._document(item)
        if kind and kind != "Event":
            namespaces = {str((item.get("metadata") or {}).get("namespace") or "") for item in items}
            self.listed.update((kind, namespace) for namespace in namespaces)
        return True

    def finish(self) -> Dump:
        """Hand everything to the ledger: whole objects before sketches, logs once the pods are known."""
        alerts = [read_alert(alert) for alert in self.alerts]
        self._place(alerts)
        for obj in [*self.objects, *self.sketches]:
            self.ledger.object(obj)
        for event in self.events:
            self.ledger.event(event)
        self._logs()
        for alert, document in zip(alerts, self.alerts, strict=True):
            payload = {"name": alert.name, "text": alert.text, "container": alert.container, "alert": document}
            self.ledger.alert(alert.subject or _NOWHERE, f"alert {alert.name}", payload)
        for note in self.notes:
            self.ledger.note(_NOWHERE, note, {"said": note})
        if self.listed:
            listed = [{"kind": kind, "namespace": namespace} for kind, namespace in sorted(self.listed)]
            self.ledger.note(_NOWHERE, f"{len(listed)} kinds are listed in full", {"listed": listed})
        target = next((alert.subject for alert in alerts if alert.subject), None)
        return Dump(evidence=self.ledger.evidence(), unreadable=tuple(self.unreadable), target=target)

    def _logs(self) -> None:
        pods = [obj for obj in [*self.objects, *self.sketches] if obj.get("kind") == "Pod"]
        for entry in (entry for file in self.logs for entry in logs_of(file, pods)):
            text = "\n".join(entry.lines[-_MOST_LINES:])
            self.ledger.log(entry.pod, entry.container, text, previous=entry.previous)

    def _place(self, alerts: list[Alert]) -> None:
        """Give what was printed without its namespace the one of its namesake, else the only one there is."""
        every = [*self.objects, *self.sketches]
        by_name = {
            (o.get("kind"), o["metadata"].get("name")): o["metadata"].get("namespace") for o in every if _placed(o)
        }
        spoken = {str(alert.subject.namespace) for alert in alerts if alert.subject and alert.subject.namespace}
        places = {str(place) for place in by_name.values() if place} | spoken
        only = next(iter(places)) if len(places) == 1 else ""
        for obj in self.sketches:
            place = by_name.get((obj.get("kind"), obj["metadata"].get("name"))) or only
            if place and not _placed(obj) and obj.get("kind") not in _CLUSTER_SCOPED:
                obj["metadata"]["namespace"] = place
        for event in self.events:
            about = event.get("involvedObject") or event.get("regarding") or {}
            if isinstance(about, dict) and not about.get("namespace") and about.get("kind") not in _CLUSTER_SCOPED:
                about["namespace"] = by_name.get((about.get("kind"), about.get("name"))) or only


def _placed(obj: JsonObject) -> bool:
    return bool(obj["metadata"].get("namespace"))


def read_dump(paths: Iterable[Path]) -> Dump:
    """Read files and folders of recorded evidence; what cannot be read is named, never raised."""
    reader = _Reader()
    for found in read_files(paths):
        if isinstance(found, Unread):
            reader.unreadable.append((found.path, found.why))
        else:
            reader.take(found)
    return reader.finish()
