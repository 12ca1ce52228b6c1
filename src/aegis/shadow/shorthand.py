"""Changes of a workload as a script writes them, in short: `{"image": …}`, `{"replicas": 2}`, `{"env": …}`. Pure.

Each of them becomes part of a change that is really made. What cannot become one is refused, never passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from aegis.errors import UsageError
from aegis.kube.pod_template import ContainerAt, containers, pod_spec_of, template_path
from aegis.model.changes import Apply, Change
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.security.strict_yaml import read
from aegis.shadow.workloads import SCALED

KEYS: Final = ("image", "replicas", "env", "resources", "container", "manifests")
_OF_CONTAINER: Final = ("image", "env", "resources")
_OF_SERVER: Final = frozenset({
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
})


def changes_of(target: ObjectRef, live: Json, wanted: Mapping[str, Any]) -> tuple[Change, ...]:
    """The changes that are meant.

    Args:
        target: the workload.
        live: the workload as it is now.
        wanted: any of `image` (a reference), `replicas` (a number), `env` (a mapping, or a list as in a manifest),
            `resources` (with `limits` and `requests`), `container` (which one the former are about, where there are
            several), `manifests` (YAML text, an object, or a list of these: each is applied as a whole).

    Raises:
        UsageError: if a key is unknown or a value has another shape; the message names it.
    """
    if unknown := sorted(set(wanted) - set(KEYS)):
        raise UsageError(f"{unknown[0]!r} is no change that is known", hint=f"Known are: {', '.join(KEYS)}.")
    patch: JsonObject = {}
    if "replicas" in wanted:
        patch["replicas"] = _replicas(target, wanted["replicas"])
    if any(key in wanted for key in _OF_CONTAINER):
        _put(patch, (*_within_spec(target.kind), "containers"), [_container(live, wanted)])
    elif "container" in wanted:
        raise UsageError("container says which one is changed, and nothing is", hint="Add image, env or resources.")
    made: list[Change] = [Apply(target=target, patch={"spec": patch})] if patch else []
    made += [_applied(obj, target.namespace) for obj in _objects(wanted.get("manifests"))]
    if twice := [change.target for number, change in enumerate(made) if _is_among(change, made[:number])]:
        raise UsageError(f"{twice[0]} is changed twice", hint="Write it whole in manifests, or in parts, not both.")
    return tuple(made)


def _is_among(change: Change, others: Sequence[Change]) -> bool:
    ref = change.target
    return any((one.target.kind, one.target.name) == (ref.kind, ref.name) for one in others)


def _within_spec(kind: str) -> tuple[str, ...]:
    """The way from an object's spec to its pod spec."""
    path = (*template_path(kind), "spec")
    return path[1:]


def _put(into: JsonObject, path: Sequence[str], value: Any) -> None:
    for key in path[:-1]:
        into = into.setdefault(key, {})
    into[path[-1]] = value


def _replicas(target: ObjectRef, value: Any) -> int:
    if target.kind not in SCALED:
        raise UsageError(f"a {target.kind} has no replicas")
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UsageError(f"replicas is a whole number, not {value!r}")
    return value


def _container(live: Json, wanted: Mapping[str, Any]) -> JsonObject:
    made: JsonObject = {"name": _which(live, wanted).name}
    if "image" in wanted:
        made["image"] = _text("image", wanted["image"])
    if "env" in wanted:
        made["env"] = list(_env(wanted["env"]))
    if "resources" in wanted:
        made["resources"] = _resources(wanted["resources"])
    return made


def _which(live: Json, wanted: Mapping[str, Any]) -> ContainerAt:
    """The one that is named; else the only one, or the only one whose image has the repository of the new image.

    Raises:
        UsageError: if that does not tell.
    """
    known = [one for one in containers(pod_spec_of(live) or {}) if one.group == "containers"]
    if "container" in wanted:
        found = [one for one in known if one.name == wanted["container"]]
    elif len(known) > 1 and "image" in wanted:
        new = _repository(_text("image", wanted["image"]))
        found = [one for one in known if _repository(str(one.spec.get("image") or "")) == new]
    else:
        found = known
    if len(found) == 1:
        return found[0]
    names = ", ".join(one.name for one in known) or "none"
    raise UsageError("it is not said which container is changed", hint=f"Name it as container; there are: {names}.")


def _env(value: Any) -> Iterator[JsonObject]:
    if isinstance(value, Mapping):
        value = [{"name": name, "value": given} for name, given in value.items()]
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise UsageError("env is a mapping of names to values, or a list as in a manifest")
    for item in value:
        if not isinstance(item, Mapping) or not isinstance(item.get("name"), str):
            raise UsageError("an item of env has no name")
        if "valueFrom" in item:
            yield dict(item)
            continue
        given = item.get("value")
        if isinstance(given, bool) or not isinstance(given, str | int):
            raise UsageError(f"env.{item['name']} is a text, not {given!r}", hint="Write it in quotes.")
        yield {"name": item["name"], "value": str(given)}


def _resources(value: Any) -> JsonObject:
    sides = ("limits", "requests", "claims")
    if not isinstance(value, Mapping) or not value or set(value) - set(sides):
        raise UsageError("resources holds limits and requests")
    return {key: dict(held) if isinstance(held, Mapping) else held for key, held in value.items()}


def _objects(value: Any) -> Iterator[Json]:
    """The objects of texts, Lists and objects, nested at will.

    Raises:
        UsageError: for what is none of these; texts that two readers could read in two ways are refused too.
    """
    if value is None:
        return
    if isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        yield from _objects([document.plain() for document in read(data, source="manifests")])
    elif isinstance(value, Mapping) and isinstance(value.get("items"), list):
        yield from _objects(value["items"])
    elif isinstance(value, Mapping):
        yield value
    elif isinstance(value, Sequence):
        for item in value:
            yield from _objects(item)
    else:
        raise UsageError(f"manifests are objects or YAML, not {type(value).__name__}")


def _applied(obj: Json, namespace: str) -> Apply:
    metadata = obj.get("metadata")
    if not obj.get("kind") or not isinstance(metadata, Mapping) or not metadata.get("name"):
        raise UsageError("an object of manifests has no kind or no name")
    ref = ObjectRef.of(obj)
    marks = {key: value for key, value in metadata.items() if key not in _OF_SERVER}
    body = {key: value for key, value in obj.items() if key not in {"apiVersion", "kind", "metadata", "status"}}
    patch = {**body, "metadata": marks} if marks else body
    return Apply(target=ref if ref.namespace else replace(ref, namespace=namespace), patch=patch)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{name} is a text, not {value!r}")
    return value


def _repository(image: str) -> str:
    """An image without tag and digest."""
    head, slash, last = image.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"
