"""Reads the text that kubectl prints for people: `describe`, `get` and `get events`.

It knows less than the objects do, so what it makes of the text are sketches: enough to see a symptom and to cite it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from aegis.evidence.argocd import application
from aegis.evidence.described_pod import described_pod
from aegis.evidence.lineage import is_lineage, lineage
from aegis.evidence.outline import Line, outlines, time_text
from aegis.evidence.tables import event, kind_named, table_events, table_objects
from aegis.model.refs import JsonObject

_EVENT_ROW: Final = re.compile(
    r"^(?P<type>Normal|Warning)\s+(?P<reason>\S+)\s+(?P<age><unknown>|<invalid>|\d+\w*(?: \(x\d+ over \w+\))?)\s+(?P<rest>.*)$"
)
_NO_SUCH_KIND: Final = re.compile(r"the server doesn't have a resource type \"([^\"]+)\"")
_DESCRIBE: Final = re.compile(r"^Name:\s+\S", re.MULTILINE)
_API_VERSIONS: Final = {
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
}


@dataclass(slots=True)
class TextReading:
    """What a text held."""

    objects: list[JsonObject] = field(default_factory=list)
    events: list[JsonObject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_text(text: str, *, hint: str = "") -> TextReading | None:
    """The objects and events of a text that kubectl printed; None where it is no such text.

    Args:
        text: of one file.
        hint: the file's name, which may say the kind: `describe-pod-web`.
    """
    first = next((line for line in text.splitlines() if line.strip()), "")
    if re.match(r"^\s*(?:[{\[]|---|apiVersion:|kind:|items:)", first):
        return None
    reading = TextReading()
    if match := _NO_SUCH_KIND.search(text):
        reading.notes = [f"the server has no resource type {match[1]}"]
    elif is_lineage(text):
        reading.objects, reading.events = lineage(text, upwards="parent" in hint)
    elif _DESCRIBE.search(text):
        for outline in outlines(text):
            _described(outline, text, hint, reading)
    else:
        reading.events = table_events(text)
        reading.objects = [] if reading.events else table_objects(text, hint)
    return reading if reading.objects or reading.events or reading.notes else None


def _described(outline: Line, text: str, hint: str, reading: TextReading) -> None:
    kind = _kind(outline, hint)
    if kind == "Application":
        reading.objects.append(application(outline, text))
    elif kind:
        _kubernetes(kind, outline, reading)


def _kubernetes(kind: str, outline: Line, reading: TextReading) -> None:
    name, namespace = outline.text_of("Name"), outline.text_of("Namespace")
    metadata: JsonObject = {
        "name": name,
        "labels": outline.pairs("Labels"),
        "annotations": outline.pairs("Annotations"),
    }
    if namespace:
        metadata["namespace"] = namespace
    if created := time_text(outline.text_of("CreationTimestamp", "Start Time")):
        metadata["creationTimestamp"] = created
    if owner := outline.text_of("Controlled By"):
        owner_kind, _, owner_name = owner.partition("/")
        metadata["ownerReferences"] = [{"kind": owner_kind, "name": owner_name, "controller": True}]
    obj: JsonObject = {"apiVersion": _API_VERSIONS.get(kind, "v1"), "kind": kind, "metadata": metadata}
    if (reader := _READERS.get(kind)) is not None:
        obj |= reader(outline)
    reading.objects.append(obj)
    about = {"kind": kind, "name": name, "namespace": namespace}
    reading.events += _events(outline.child("Events"), about)


def _kind(outline: Line, hint: str) -> str:
    """Which kind prints these fields."""
    keys = {line.key for line in outline.children}
    for marks, kind in _MARKS:
        if marks <= keys:
            return kind
    match = re.match(r"describe[-_.]([a-z]+)", hint)
    return kind_named(match[1]) if match else ""


def _events(line: Line, about: dict[str, str]) -> Iterator[JsonObject]:
    for row in line.children:
        match = _EVENT_ROW.match(row.text)
        if match is None:
            continue
        component, _, message = match["rest"].partition("  ")
        if not message.strip():
            component, message = "", match["rest"]
        yield event(
            match["type"], match["reason"], message.strip(), age=match["age"], about=about, component=component.strip()
        )


def _conditions(outline: Line) -> list[JsonObject]:
    rows = (row.text.split(None, 2) for row in outline.child("Conditions").children)
    return [
        {"type": row[0], "status": row[1], **({"reason": row[2].split()[0]} if len(row) > 2 else {})}  # noqa: PLR2004
        for row in rows
        if len(row) > 1 and row[1] in {"True", "False", "Unknown"}
    ]


def _pod(outline: Line) -> JsonObject:
    return described_pod(outline, _conditions(outline))


def _deployment(outline: Line) -> JsonObject:
    by_word = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", outline.text_of("Replicas"))}
    template = described_pod(outline.child("Pod Template"), [])["spec"]
    return {
        "spec": {
            "replicas": by_word.get("desired", 0),
            "selector": {"matchLabels": outline.pairs("Selector")},
            "template": {"metadata": {"labels": outline.child("Pod Template").pairs("Labels")}, "spec": template},
        },
        "status": {
            "replicas": by_word.get("total", 0),
            "readyReplicas": by_word.get("available", 0),
            "conditions": _conditions(outline),
        },
    }


def _claim(outline: Line) -> JsonObject:
    return {
        "spec": {"storageClassName": outline.text_of("StorageClass"), "volumeName": outline.text_of("Volume")},
        "status": {"phase": outline.text_of("Status")},
    }


_READERS: Final[dict[str, Callable[[Line], JsonObject]]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "PersistentVolumeClaim": _claim,
}
_MARKS: Final = (
    ({"Sync Status", "Health Status"}, "Application"),
    ({"StrategyType", "Pod Template"}, "Deployment"),
    ({"Node", "Containers"}, "Pod"),
    ({"Pods Status", "Pod Template", "Update Strategy"}, "StatefulSet"),
    ({"Desired Number of Nodes Scheduled"}, "DaemonSet"),
    ({"Pods Status", "Pod Template", "Parallelism"}, "Job"),
    ({"Pods Status", "Pod Template"}, "ReplicaSet"),
    ({"Schedule", "Concurrency Policy"}, "CronJob"),
    ({"StorageClass", "Access Modes", "Volume"}, "PersistentVolumeClaim"),
    ({"StorageClass", "Reclaim Policy"}, "PersistentVolume"),
    ({"Roles", "Capacity"}, "Node"),
    ({"Selector", "Endpoints"}, "Service"),
)
