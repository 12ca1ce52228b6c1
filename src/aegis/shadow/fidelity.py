"""What admission and defaults made of the copies: a pod of the shadow beside a pod of production. Pure.

A copy has the same specification, but what a cluster adds to a pod (sidecars, default resources, injected variables) may
depend on the namespace. Each such difference is written into the ledger; only names are, never values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aegis.kube.pod_template import containers
from aegis.model.refs import Json

_NOT_COMPARED = frozenset({"name", "env", "volumeMounts", "resources"})


def differences(production: Sequence[Json], shadow: Sequence[Json]) -> list[str]:
    """How the newest pod of production and one of the shadow (as it is, without the fix) differ, in words."""
    if not production or not shadow:
        return []
    newest = max(production, key=lambda pod: str((pod.get("metadata") or {}).get("creationTimestamp") or ""))
    return sorted(set(_compare(newest.get("spec") or {}, shadow[0].get("spec") or {})))


def _compare(ours: Json, theirs: Json) -> Iterator[str]:
    before = {at.path: at.spec for at in containers(ours)}
    after = {at.path: at.spec for at in containers(theirs)}
    for path in before.keys() - after.keys():
        yield f"{path} runs in production and not in the shadow"
    for path in after.keys() - before.keys():
        yield f"{path} runs in the shadow and not in production"
    for path in before.keys() & after.keys():
        yield from _containers(path, before[path], after[path])


def _containers(path: str, before: Json, after: Json) -> Iterator[str]:
    names = {key for key in {*before, *after} if key not in _NOT_COMPARED and before.get(key) != after.get(key)}
    for name in names:
        yield f"{path}.{name} is not as in production"
    if _resources(before) != _resources(after):
        yield f"{path} has other resources than in production"
    for word, field in (("variable", "env"), ("mount", "volumeMounts")):
        mine, its = _keys(before, field), _keys(after, field)
        for name in mine - its:
            yield f"{path} lacks the {word} {name} that it has in production"
        for name in its - mine:
            yield f"{path} has the {word} {name} that it lacks in production"


def _keys(container: Json, field: str) -> set[str]:
    key = "name" if field == "env" else "mountPath"
    return {str(item.get(key)) for item in container.get(field) or [] if not _of_token(item)}


def _of_token(item: Mapping[str, Any]) -> bool:
    return str(item.get("name") or "").startswith("kube-api-access-")


def _resources(container: Json) -> tuple[Json, Json]:
    resources = container.get("resources") or {}
    return resources.get("limits") or {}, resources.get("requests") or {}
