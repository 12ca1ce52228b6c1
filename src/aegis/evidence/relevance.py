"""What is worth reading next, given what was read: kinds that objects name, namespaces they call, logs that may tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aegis.kube.pod_template import containers, pod_spec_of, references
from aegis.kube.selector import equality_selector
from aegis.model.refs import Json, ObjectRef
from aegis.model.signature import container_statuses, is_ready

_CLUSTER_HOST: Final = re.compile(r"\b[a-z0-9-]+\.([a-z0-9-]+)\.svc\b")
_MOST_PODS: Final = {"unwell of the target": 6, "well of the target": 2, "other unwell": 8}
_MOST_OWNERS: Final = 5
_MOST_OF_ONE_OWNER: Final = 2
_MOST_RUNS: Final = 100
"""Where everything is looked at: so many reads of logs, however many pods there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChoice:
    """One run of one container whose output to read."""

    namespace: str
    pod: str
    container: str
    previous: bool


def is_unwell(obj: Json) -> bool:
    """Whether an object shows, at a glance, that something may be wrong with it."""
    status = _mapping(obj.get("status"))
    match obj.get("kind"):
        case "Pod":
            restarted = any(int(state.get("restartCount") or 0) for state in container_statuses(obj))
            return status.get("phase") != "Succeeded" and (not is_ready(obj) or restarted)
        case "Deployment" | "StatefulSet" | "ReplicaSet":
            wanted = _mapping(obj.get("spec")).get("replicas", 1)
            return bool((status.get("readyReplicas") or 0) < (wanted or 0))
        case "DaemonSet":
            return bool((status.get("numberReady") or 0) < (status.get("desiredNumberScheduled") or 0))
        case _:
            return False


def needed_kinds(objects: Iterable[Json]) -> tuple[str, ...]:
    """The kinds that the objects name or are owned by, so that an absent one is told from one that nobody looked for."""
    kinds: set[str] = set()
    for obj in objects:
        kinds.update(owner for owner in _owner_kinds(obj) if owner in {"StatefulSet", "DaemonSet", "Job", "CronJob"})
        spec = pod_spec_of(obj)
        if spec is not None:
            kinds.update(reference.kind for reference in references(spec))
        if obj.get("kind") == "Ingress":
            kinds.add("IngressClass")
        if obj.get("kind") == "PersistentVolumeClaim" and _mapping(obj.get("status")).get("phase") != "Bound":
            kinds.update({"PersistentVolume", "StorageClass"})
    if kinds & {"StatefulSet", "DaemonSet"}:
        kinds.add("ControllerRevision")
    return tuple(sorted(kinds - {"RuntimeClass", "ResourceClaim"}))


def namespaces_called(objects: Iterable[Json]) -> tuple[str, ...]:
    """Namespaces that environment variables and arguments name in cluster addresses (`name.namespace.svc`)."""
    found: dict[str, None] = {}
    for obj in objects:
        for container in containers(pod_spec_of(obj) or {}):
            for text in _texts(container.spec):
                found.update(dict.fromkeys(_CLUSTER_HOST.findall(text[:4096])))
    return tuple(found)


def logs_worth_reading(objects: Sequence[Json], target: ObjectRef | None) -> tuple[LogChoice, ...]:
    """The output of the target's pods, the unwell first, then of other unwell pods; never of all pods."""
    pods = [
        obj
        for obj in objects
        if obj.get("kind") == "Pod" and not _mapping(obj.get("metadata")).get("deletionTimestamp")
    ]
    pods.sort(key=lambda pod: (-_restarts(pod), str(pod["metadata"].get("name"))))
    if target is None:
        return tuple(choice for pod in _of_each_owner(pods) for choice in _runs(pod))[:_MOST_RUNS]
    owned = _owned_by(objects, target)
    groups = {
        "unwell of the target": [pod for pod in pods if is_unwell(pod) and owned(pod)],
        "well of the target": [pod for pod in pods if not is_unwell(pod) and owned(pod)],
        "other unwell": [pod for pod in pods if is_unwell(pod) and not owned(pod)],
    }
    chosen = [pod for name, group in groups.items() for pod in group[: _MOST_PODS[name]]]
    return tuple(choice for pod in chosen for choice in _runs(pod))


def _of_each_owner(pods: Sequence[Json]) -> list[Json]:
    """Unwell pods, the first of every owner before the second of any: ten of one Deployment tell what one of them tells."""
    turns: dict[tuple[str, object], list[Json]] = {}
    for pod in filter(is_unwell, pods):
        owner = next(_owners(pod), ("Pod", pod["metadata"].get("name")))
        turns.setdefault((str(pod["metadata"].get("namespace")), owner), []).append(pod)
    return [found[turn] for turn in range(_MOST_OF_ONE_OWNER) for found in turns.values() if turn < len(found)]


def _runs(pod: Json) -> Iterator[LogChoice]:
    """Every run of a pod's containers that has begun."""
    metadata = _mapping(pod.get("metadata"))
    for status in container_statuses(pod):
        state, last = _mapping(status.get("state")), _mapping(status.get("lastState"))
        died = "terminated" in last
        runs = ([True] if died else []) + ([False] if died or "running" in state or "terminated" in state else [])
        for previous in runs:
            yield LogChoice(
                namespace=str(metadata.get("namespace") or ""),
                pod=str(metadata.get("name") or ""),
                container=str(status.get("name") or ""),
                previous=previous,
            )


def _owned_by(objects: Sequence[Json], target: ObjectRef) -> Callable[[Json], bool]:
    """Whether a pod belongs to the target: is it, is owned by it, is selected by it."""
    owners = {_key(obj): [(kind, name) for kind, name in _owners(obj)] for obj in objects}
    service = next((o for o in objects if o.get("kind") == "Service" and _key(o)[2] == target.name), None)
    selector = equality_selector(_mapping(_mapping((service or {}).get("spec")).get("selector")))

    def belongs(pod: Json) -> bool:
        if target.kind == "Service":
            return selector.matches(_mapping(_mapping(pod.get("metadata")).get("labels")))
        keys = [_key(pod)]
        for _ in range(_MOST_OWNERS):
            if any((key[0], key[2]) == (target.kind, target.name) for key in keys):
                return True
            keys = [(kind, key[1], name) for key in keys for kind, name in owners.get(key, ())]
        return False

    return belongs


def _key(obj: Json) -> tuple[str, str, str]:
    ref = ObjectRef.of(obj)
    return (ref.kind, ref.namespace, ref.name)


def _owners(obj: Json) -> Iterator[tuple[str, str]]:
    for owner in _mapping(obj.get("metadata")).get("ownerReferences") or ():
        yield str(owner.get("kind") or ""), str(owner.get("name") or "")


def _owner_kinds(obj: Json) -> Iterator[str]:
    return (kind for kind, _ in _owners(obj))


def _restarts(pod: Json) -> int:
    return sum(int(status.get("restartCount") or 0) for status in container_statuses(pod))


def _texts(container: Json) -> Iterator[str]:
    for variable in container.get("env") or ():
        if isinstance(variable, Mapping) and isinstance(variable.get("value"), str):
            yield variable["value"]
    for field in ("command", "args"):
        yield from (text for text in container.get(field) or () if isinstance(text, str))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
