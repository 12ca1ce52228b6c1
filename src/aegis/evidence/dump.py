"""Evidence from what was recorded: objects, events, logs and the text that kubectl prints, in files nested at will."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aegis.evidence.describe import TextReading, read_text
from aegis.evidence.documents import Unparsed, documents
from aegis.evidence.files import TextFile, Unread, read_files
from aegis.evidence.ledger import Ledger
from aegis.model.evidence import Evidence
from aegis.model.refs import JsonObject, ObjectRef

_LOG_NAME: Final = re.compile(
    r"(?P<previous>(?:^|[-_./])prev(?:ious)?(?=[-_./]|$))|(?:^|[-_])logs?(?=[-_]|$)", re.IGNORECASE
)
_MARK: Final = re.compile(r"^==== (START|END) logs for container (\S+) of pod (\S+)/(\S+) ====$")
_MOST_LINES: Final = 2000
_LEVELS: Final = {"pod": "Pod", "deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}


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
    listed: set[tuple[str, str]] = field(default_factory=set)

    def take(self, file: TextFile) -> None:
        """Read one file as what its name and its content say that it is."""
        if not file.text.strip():
            self.unreadable.append((file.path, "it is empty"))
        elif _is_log(file):
            self.logs.append(file)
        elif (reading := read_text(file.text, hint=file.path.stem)) is not None:
            self._text(reading)
        else:
            self._structured(file)

    def _text(self, reading: TextReading) -> None:
        self.sketches += reading.objects
        self.events += reading.events
        self.alerts += reading.alerts

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
        if "labels" in document or "alerts" in document:
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
        for obj in [*self.objects, *self.sketches]:
            self.ledger.object(obj)
        for event in self.events:
            self.ledger.event(event)
        pods = [obj for obj in [*self.objects, *self.sketches] if obj.get("kind") == "Pod"]
        for file in self.logs:
            for entry in _logs_of(file, pods):
                self.ledger.log(
                    entry.pod, entry.container, "\n".join(entry.lines[-_MOST_LINES:]), previous=entry.previous
                )
        target = None
        for alert in self.alerts:
            subject = _subject(alert)
            target = target or subject
            nowhere = ObjectRef(api_version="v1", kind="Namespace", name="")
            self.ledger.alert(subject or nowhere, _alert_name(alert), alert)
        if self.listed:
            listed = [{"kind": kind, "namespace": namespace} for kind, namespace in sorted(self.listed)]
            nowhere = ObjectRef(api_version="v1", kind="Namespace", name="")
            self.ledger.note(nowhere, f"{len(listed)} kinds are listed in full", {"listed": listed})
        return Dump(evidence=self.ledger.evidence(), unreadable=tuple(self.unreadable), target=target)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Log:
    pod: ObjectRef
    container: str
    previous: bool
    lines: list[str]


def read_dump(paths: Iterable[Path]) -> Dump:
    """Read files and folders of recorded evidence; what cannot be read is named, never raised."""
    reader = _Reader()
    for found in read_files(paths):
        if isinstance(found, Unread):
            reader.unreadable.append((found.path, found.why))
        else:
            reader.take(found)
    return reader.finish()


def _is_log(file: TextFile) -> bool:
    name = file.path.name.lower()
    return (
        name.endswith(".log")
        or name in {"logs.txt", "log.txt", "previous.txt"}
        or _MARK.match(file.text[:400]) is not None
    )


def _logs_of(file: TextFile, pods: list[JsonObject]) -> Iterator[_Log]:
    """The output in a file: cluster-info dump marks its parts, else the path says whose it is."""
    lines = file.text.splitlines()
    if any(_MARK.match(line) for line in lines[:5]):
        yield from _marked(lines)
        return
    words = "/".join(file.parts)
    previous = any(match["previous"] for match in _LOG_NAME.finditer(words))
    pod, container = _whose(file, pods)
    if pod is not None:
        yield _Log(pod=pod, container=container, previous=previous, lines=lines)


def _marked(lines: list[str]) -> Iterator[_Log]:
    part: _Log | None = None
    for line in lines:
        match = _MARK.match(line)
        if match and match[1] == "START":
            ref = ObjectRef(api_version="v1", kind="Pod", name=match[4], namespace=match[3])
            part = _Log(pod=ref, container=match[2], previous=False, lines=[])
        elif match and part is not None:
            yield part
            part = None
        elif part is not None:
            part.lines.append(line)
    if part is not None:
        yield part


def _whose(file: TextFile, pods: list[JsonObject]) -> tuple[ObjectRef | None, str]:
    """The pod and the container that a path names: of the known pods the one with the longest name in it."""
    words = "/".join((*file.parts[:-1], file.path.stem))
    known = [pod for pod in pods if str(pod["metadata"].get("name") or "\0") in words]
    if known:
        pod = max(known, key=lambda item: len(str(item["metadata"]["name"])))
        rest = words.split(str(pod["metadata"]["name"]), 1)[1].lower()
        names = _containers(pod)
        named = [name for name in names if name.lower() in rest]
        return ObjectRef.of(pod), max(named, key=len) if named else names[0] if len(names) == 1 else ""
    stem = re.sub(r"^(?:logs?|prev(?:ious)?)[-_.]", "", re.sub(r"^logs?[-_.]", "", file.path.stem))
    if len(file.parts) > 3 or (len(file.parts) == 3 and file.parts[-1] in {"logs.txt", "log.txt"}):  # noqa: PLR2004 - NAMESPACE/POD/…
        folders = file.parts[:-1] if file.parts[-1] in {"logs.txt", "log.txt"} else (*file.parts[:-1], stem)
        namespace, pod_name, container = (*folders[-3:], "")[:3] if len(folders) > 2 else (*folders, "")  # noqa: PLR2004
        return ObjectRef(api_version="v1", kind="Pod", name=pod_name, namespace=namespace), container
    return (ObjectRef(api_version="v1", kind="Pod", name=stem), "") if stem else (None, "")


def _containers(pod: JsonObject) -> list[str]:
    spec = pod.get("spec") or {}
    groups = (spec.get("containers") or [], spec.get("initContainers") or [])
    return [str(container.get("name")) for group in groups for container in group if isinstance(container, dict)]


def _subject(alert: JsonObject) -> ObjectRef | None:
    """The object that an alert's labels name."""
    labels = alert.get("labels") or (alert.get("commonLabels") or {})
    if isinstance(alert.get("alerts"), list) and alert["alerts"] and isinstance(alert["alerts"][0], dict):
        labels = alert["alerts"][0].get("labels") or labels
    if not isinstance(labels, Mapping):
        return None
    namespace = str(labels.get("namespace") or "")
    for label, kind in _LEVELS.items():
        if labels.get(label):
            return ObjectRef(api_version="v1", kind=kind, name=str(labels[label]), namespace=namespace)
    return None


def _alert_name(alert: JsonObject) -> str:
    labels = alert.get("labels") if isinstance(alert.get("labels"), Mapping) else {}
    name = (labels or {}).get("alertname") or alert.get("title") or alert.get("name") or "alert"
    return f"alert {name}"
