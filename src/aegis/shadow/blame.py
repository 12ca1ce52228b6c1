"""Which failures are a fix's and which are the cluster's.

Unschedulable, unpullable or unmountable is nobody's fault, unless the fix touched what that comes from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aegis.model.changes import Apply, Change, JsonPatch
from aegis.model.symptom import Manner, Signature

_SOURCES = {
    Manner.SCHEDULING: {
        "resources",
        "requests",
        "limits",
        "cpu",
        "memory",
        "nodeSelector",
        "affinity",
        "nodeAffinity",
        "podAffinity",
        "podAntiAffinity",
        "tolerations",
        "topologySpreadConstraints",
        "schedulerName",
        "priorityClassName",
        "hostPort",
        "volumes",
        "persistentVolumeClaim",
    },
    Manner.PULL: {"image", "imagePullPolicy", "imagePullSecrets"},
    Manner.CONFIG: {
        "env",
        "envFrom",
        "valueFrom",
        "volumes",
        "volumeMounts",
        "configMap",
        "secret",
        "data",
        "securityContext",
        "command",
        "args",
        "name",
    },
}


def blames(signature: Signature, changes: Iterable[Change]) -> bool:
    """Whether a failure may be blamed on a fix with these changes."""
    sources = _SOURCES.get(signature.manner)
    return sources is None or not sources.isdisjoint(touches(changes))


def touches(changes: Iterable[Change]) -> set[str]:
    """The names of all fields that the changes mention."""
    return {name for change in changes for name in _mentioned(change)}


def _mentioned(change: Change) -> Iterator[str]:
    if isinstance(change, Apply):
        yield from _keys(change.patch)
    elif isinstance(change, JsonPatch):
        for operation in change.patch:
            if operation.get("op") != "test":
                yield from str(operation.get("path") or "").split("/")
                yield from _keys(operation.get("value"))


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _keys(item)
