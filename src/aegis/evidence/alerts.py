"""Alerts as monitoring systems write them down: Alertmanager's, and what passes them on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aegis.model.refs import ObjectRef

_LABELS: Final = (
    ("pod", "Pod", "v1"),
    ("deployment", "Deployment", "apps/v1"),
    ("statefulset", "StatefulSet", "apps/v1"),
    ("daemonset", "DaemonSet", "apps/v1"),
    ("job_name", "Job", "batch/v1"),
    ("horizontalpodautoscaler", "HorizontalPodAutoscaler", "autoscaling/v2"),
    ("persistentvolumeclaim", "PersistentVolumeClaim", "v1"),
    ("node", "Node", "v1"),
)
_DEEPEST: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert.

    Attributes:
        name: of the rule, or its title.
        text: what it says.
        subject: the object that it speaks of; None where it names none.
        container: the container that it names.
    """

    name: str
    text: str
    subject: ObjectRef | None
    container: str = ""


def is_alert(document: Mapping[str, Any]) -> bool:
    """Whether a document is an alert."""
    return bool(_name(document)) and any(
        key in document for key in ("labels", "subject", "subject_name", "alerts", "raw", "description")
    )


def read_alert(document: Mapping[str, Any]) -> Alert:
    """What an alert says and of which object."""
    labels = {key: value for found in _all_labels(document, 0) for key, value in found.items()}
    texts = [str(found) for found in _texts(document, 0) if found]
    return Alert(
        name=_name(document) or str(labels.get("alertname") or "alert"),
        text=" ".join(dict.fromkeys(texts))[:2000],
        subject=_subject(labels) or _told_subject(document),
        container=str(labels.get("container") or _mapping(document.get("subject")).get("container") or ""),
    )


def _name(document: Mapping[str, Any]) -> str:
    labels = next((found for found in _all_labels(document, 0) if "alertname" in found), {})
    return str(labels.get("alertname") or document.get("title") or document.get("aggregation_key") or "").rstrip(".")


def _all_labels(document: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    if depth > _DEEPEST:
        return
    for key in ("commonLabels", "labels"):
        if isinstance(document.get(key), Mapping):
            yield document[key]
    alerts = document.get("alerts")
    for inner in (document.get("raw"), *(alerts if isinstance(alerts, list) else ())):
        if isinstance(inner, Mapping):
            yield from _all_labels(inner, depth + 1)


def _texts(document: Mapping[str, Any], depth: int) -> Iterator[Any]:
    if depth > _DEEPEST:
        return
    for key in ("title", "name", "description", "message", "summary"):
        if isinstance(document.get(key), str):
            yield document[key]
    for key in ("annotations", "commonAnnotations", "raw"):
        yield from _texts(_mapping(document.get(key)), depth + 1)


def _subject(labels: Mapping[str, Any]) -> ObjectRef | None:
    namespace = str(labels.get("namespace") or "")
    for label, kind, api_version in _LABELS:
        if labels.get(label):
            where = "" if kind == "Node" else namespace
            return ObjectRef(api_version=api_version, kind=kind, name=str(labels[label]), namespace=where)
    return None


def _told_subject(document: Mapping[str, Any]) -> ObjectRef | None:
    """`subject: {name, subject_type, namespace}`, or the same as `subject_…` fields."""
    subject = _mapping(document.get("subject"))
    name = subject.get("name") or document.get("subject_name")
    kind = str(subject.get("subject_type") or document.get("subject_type") or "")
    known = next(((k, v) for label, k, v in _LABELS if label == kind.lower()), None)
    if not name or known is None:
        return None
    namespace = subject.get("namespace") or document.get("subject_namespace") or ""
    return ObjectRef(api_version=known[1], kind=known[0], name=str(name), namespace=str(namespace))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
