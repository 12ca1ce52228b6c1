"""Which ReplicaSet belongs to which revision of a Deployment, and what a new one looks like. Pure."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.objects import annotations_of, controller_reference, is_terminating
from aegis.localcluster.controllers.rollout import DESIRED, MAXIMUM, Goal

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
HASH_LABEL = "pod-template-hash"

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_HISTORY_MAX = 2000
_NOT_COPIED = frozenset({
    "kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY, DESIRED, MAXIMUM,
    "deprecated.deployment.rollback.to",
})  # fmt: skip


def template_hash(template: Mapping[str, Any], collisions: int) -> str:
    """A short name for a template: the same for equal templates, another after each collision."""
    text = json.dumps(_pruned(template), sort_keys=True, separators=(",", ":"))
    number = zlib.crc32(f"{text}#{collisions}".encode())
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(number))


def same_template(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two templates ask for the same pods, the hash label aside."""
    return bool(_without_hash(one) == _without_hash(other))


def split(deployment: Object, sets: Iterable[Object]) -> tuple[Object | None, list[Object]]:
    """The ReplicaSet of the current template (the oldest, if several match), and all others by age."""
    by_age = sorted(sets, key=lambda r: (r["metadata"]["creationTimestamp"], r["metadata"]["name"]))
    template = deployment["spec"]["template"]
    new = next((r for r in by_age if same_template(r["spec"]["template"], template)), None)
    return new, [r for r in by_age if r is not new]


def revision_of(obj: Object) -> int:
    """The revision written on a Deployment or ReplicaSet; 0 where there is none."""
    text = annotations_of(obj).get(REVISION, "")
    return int(text) if text.isdecimal() else 0


def next_revision(old: Iterable[Object]) -> int:
    """The revision that follows those of the old ReplicaSets."""
    return max((revision_of(r) for r in old), default=0) + 1


def replica_set_for(deployment: Object, revision: int, replicas: int, collisions: int) -> Object:
    """The new ReplicaSet of a Deployment's current template."""
    spec, metadata = deployment["spec"], deployment["metadata"]
    label = {HASH_LABEL: template_hash(spec["template"], collisions)}
    template = {**spec["template"]}
    template_metadata = template.get("metadata") or {}
    template["metadata"] = {**template_metadata, "labels": {**(template_metadata.get("labels") or {}), **label}}
    selector = {**spec["selector"]}
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), **label}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{label[HASH_LABEL]}",
            "namespace": metadata["namespace"],
            "labels": template["metadata"]["labels"],
            "annotations": {**_copied(deployment), REVISION: str(revision), **size_annotations(Goal.of(deployment))},
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": {
            "replicas": replicas,
            "minReadySeconds": spec.get("minReadySeconds", 0),
            "selector": selector,
            "template": template,
        },
    }


def size_annotations(goal: Goal) -> dict[str, str]:
    """What a ReplicaSet remembers of its Deployment's size, for proportional scaling."""
    return {DESIRED: str(goal.replicas), MAXIMUM: str(goal.maximum)}


def refreshed_annotations(deployment: Object, replica_set: Object, revision: int) -> dict[str, str]:
    """The annotations of an existing ReplicaSet that stands for the current template, at this revision."""
    annotations = {**annotations_of(replica_set), **_copied(deployment)}
    former = revision_of(replica_set)
    if former < revision:
        annotations[REVISION] = str(revision)
        if former:
            annotations[HISTORY] = _lengthened(annotations.get(HISTORY, ""), former)
    return annotations


def beyond_history(deployment: Object, old: Sequence[Object]) -> list[Object]:
    """The old ReplicaSets that the history limit gives up: the oldest revisions, idle and observed."""
    limit = deployment["spec"].get("revisionHistoryLimit", 10)
    alive = sorted((r for r in old if not is_terminating(r)), key=revision_of)
    return [r for r in alive[: max(0, len(alive) - limit)] if _is_idle(r)]


def _is_idle(replica_set: Object) -> bool:
    status = replica_set.get("status") or {}
    observed = status.get("observedGeneration", 0) >= replica_set["metadata"].get("generation", 0)
    return observed and not status.get("replicas") and not replica_set["spec"].get("replicas")


def _copied(deployment: Object) -> dict[str, str]:
    return {k: v for k, v in annotations_of(deployment).items() if k not in _NOT_COPIED}


def _lengthened(history: str, revision: int) -> str:
    parts = [*filter(None, history.split(",")), str(revision)]
    while len(",".join(parts)) > _HISTORY_MAX:
        parts.pop(0)
    return ",".join(parts)


def _without_hash(template: Mapping[str, Any]) -> Any:
    metadata = template.get("metadata") or {}
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH_LABEL}
    return _pruned({**template, "metadata": {**metadata, "labels": labels}})


def _pruned(value: Any) -> Any:
    """JSON without what is absent or empty: an empty list asks for nothing more than no list."""
    if isinstance(value, Mapping):
        members = {k: _pruned(v) for k, v in value.items()}
        return {k: v for k, v in members.items() if v is not None and v not in ({}, [])}
    if isinstance(value, list):
        return [_pruned(v) for v in value]
    return value
