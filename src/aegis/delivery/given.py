"""A fix that a person brought: what AEGIS makes for nobody, and what only that person can answer for. Pure.

A trial shows that a workload starts, answers and stays up. It cannot show that a probe is still worth asking, that a
program still does its work, that a right is not too wide, or that a value is the true one. So what takes such things
away is refused before anything is tried (`objections`), and values that nothing in the cluster explains are tried, but
applied only once a person has looked at them: `--yes` does not answer for them (`unexplained`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from aegis.diagnosis.invariants import violations
from aegis.diagnosis.outcome import outcome
from aegis.kube.pod_template import ContainerAt, containers, pod_spec_of, template_of
from aegis.model.changes import Apply, Change, ChangeSet, JsonPatch
from aegis.model.refs import Json, ObjectRef

_RIGHTS: Final = frozenset({"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"})
_TRIED: Final = frozenset({
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("apps", "ReplicaSet"),
    ("batch", "Job"),
    ("batch", "CronJob"),
    ("", "Pod"),
    ("", "Service"),
    ("", "ConfigMap"),
    ("networking.k8s.io", "NetworkPolicy"),
})
"""What a trial can try at all."""

_SHELLS: Final = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh", "busybox"})
_IDLERS: Final = frozenset({"sleep", "true", "tail", "cat", "yes", "pause", ":", "echo"})
_ALWAYS: Final = re.compile(r"\s*(?:(?:/bin/|/usr/bin/)?true|:|exit(?:\s+0)?|echo\b[^|;&<>]*)?\s*;?\s*")
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_BLIND_SECONDS: Final = 3600
_STEERING: Final = re.compile(
    r"(?:^|\.)(?:gatekeeper\.sh|openpolicyagent\.org|kyverno\.io|kubewarden\.io|sigstore\.dev|istio\.io|linkerd\.io"
    r"|argoproj\.io|fluxcd\.io|helm\.sh|aegis\.io|openshift\.io|amazonaws\.com|gke\.io|azure\.com|azure\.workload"
    r"|vault\.hashicorp\.com|security\.(?:alpha|beta)?\.?kubernetes\.io|pod-security\.kubernetes\.io"
    r"|apparmor\.security\.beta\.kubernetes\.io|seccomp\.security\.alpha\.kubernetes\.io)$"
)
"""Domains of labels and annotations by which admission, injection, identity or delivery are steered."""
_SERVICE_OPENS: Final = ("externalIPs", "loadBalancerIP", "externalName")
_POWERFUL_PRIORITY: Final = "system-"


def untriable(target: ObjectRef) -> str | None:
    """Why no fix may change an object of that kind at all; None where a trial can try it."""
    if target.kind in _RIGHTS or target.group == "rbac.authorization.k8s.io":
        return f"it changes access rights ({target})"
    if not target.namespace:
        return f"{target} is cluster-scoped: no fix changes such an object"
    if (target.group, target.kind) not in _TRIED:
        return f"no trial covers objects of kind {target.kind} ({target})"
    return None


def objections(change_set: ChangeSet, live: Sequence[Json]) -> list[str]:
    """What a given change set does that is not even tried, one sentence each; empty where it is.

    Args:
        change_set: what would be done.
        live: the objects that it touches, as they are now.
    """
    found = violations(change_set, live)
    for ref, before, after in _outcomes(change_set.changes, live):
        for check in (_marks, _selector, _service, _work, _pods):
            found += [f"{said} ({ref})" for said in check(before, after)]
    return list(dict.fromkeys(found))


def unexplained(change_set: ChangeSet, live: Sequence[Json], known: Iterable[Json]) -> list[str]:
    """The values of a given change set that are written nowhere in the cluster, each with its place.

    Of these a trial only tells that a program starts with them: literals of environment variables and of ConfigMaps, and
    the registries and repositories that images come from.

    Args:
        change_set: what would be done.
        live: the objects that it touches.
        known: other objects of the namespace in which a value may be written: ConfigMaps, workloads, former revisions.
    """
    places = [*live, *known]
    literals = set(_literals(places))
    repositories = {_repository(str(one.spec.get("image") or "")) for obj in places for one in _containers(obj)}
    found: list[str] = []
    for ref, before, after in _outcomes(change_set.changes, live):
        settings = {name: value for name, value in _settings(after) if (name, value) not in set(_settings(before))}
        found += [f"{name} of {ref}" for name, value in settings.items() if value and value not in literals]
        images = {one.path: str(one.spec.get("image") or "") for one in _containers(after)}
        found += [
            f"the image {image[:120]} of {path} ({ref})"
            for path, image in images.items()
            if _repository(image) not in repositories
        ]
    return list(dict.fromkeys(found))


def _outcomes(changes: Iterable[Change], live: Iterable[Json]) -> Iterator[tuple[ObjectRef, Json, Json]]:
    """Each change with its object before and after; what does not fit is told by `violations`."""
    known = {_key(ObjectRef.of(obj)): obj for obj in live}
    for change in changes:
        before = known.get(_key(change.target))
        if before is None or not isinstance(change, Apply | JsonPatch):
            continue
        after = outcome(before, change)
        if after is not None:
            yield change.target, before, after


def _key(ref: ObjectRef) -> tuple[str, str, str]:
    return ref.kind, ref.namespace, ref.name


def _marks(before: Json, after: Json) -> Iterator[str]:
    """Labels and annotations that steer what admits, injects, identifies or delivers."""
    for field in ("labels", "annotations"):
        for old, new in ((before, after), (template_of(before) or {}, template_of(after) or {})):
            was, is_now = _mapping(_metadata(old).get(field)), _mapping(_metadata(new).get(field))
            changed = sorted(str(name) for name in {*was, *is_now} if was.get(name) != is_now.get(name))
            for name in (name for name in changed if _STEERING.search(name.rpartition("/")[0])):
                yield f"it changes the {field[:-1]} {name[:120]}, by which others decide about the object"


def _selector(before: Json, after: Json) -> Iterator[str]:
    if before.get("kind") == "Service":
        if _spec(before).get("selector") and not _spec(after).get("selector"):
            yield "it takes the selector away"
    elif pod_spec_of(before) is not None and _spec(before).get("selector") != _spec(after).get("selector"):
        yield "it changes the selector"


def _service(before: Json, after: Json) -> Iterator[str]:
    if before.get("kind") != "Service":
        return
    old, new = _spec(before), _spec(after)
    if new.get("type", "ClusterIP") != old.get("type", "ClusterIP"):
        yield f"it makes the Service one of type {new.get('type')}"
    for field in _SERVICE_OPENS:
        if new.get(field) and new.get(field) != old.get(field):
            yield f"it sets {field}"


def _work(before: Json, after: Json) -> Iterator[str]:
    """Whether the workload would still do any work."""
    for field in ("parallelism", "completions"):
        if _spec(after).get(field) == 0 and _spec(before).get(field) != 0:
            yield f"it sets {field} to zero"
    known = {one.path: one.spec for one in _containers(before)}
    for one in _containers(after):
        old = known.get(one.path, {})
        was, is_now = _argv(old), _argv(one.spec)
        if is_now != was and (told := _no_program(was, is_now)):
            yield f"it replaces the program of {one.path} by {told}"
        yield from (f"{said} of {one.path}" for said in _blinded(old, one.spec))


def _pods(before: Json, after: Json) -> Iterator[str]:
    """Rights and places of the pods that no trial looks at."""
    old, new = pod_spec_of(before), pod_spec_of(after)
    if old is None or new is None:
        return
    accounts = [spec.get("serviceAccountName") or spec.get("serviceAccount") or "default" for spec in (old, new)]
    if accounts[0] != accounts[1]:
        yield f"it runs the pods as another service account ({str(accounts[1])[:120]})"
    if old.get("runtimeClassName") and old.get("runtimeClassName") != new.get("runtimeClassName"):
        yield "it changes the runtime class"
    if new.get("nodeName") and new.get("nodeName") != old.get("nodeName"):
        yield "it binds the pods to a node past the scheduler"
    priority = str(new.get("priorityClassName") or "")
    if priority.startswith(_POWERFUL_PRIORITY) and priority != old.get("priorityClassName"):
        yield f"it gives the pods the priority {priority}"
    if new.get("shareProcessNamespace") is True and old.get("shareProcessNamespace") is not True:
        yield "it lets the containers see each other's processes"
    if _token_volumes(new) - _token_volumes(old):
        yield "it mounts a token of the service account"


def _token_volumes(spec: Json) -> set[str]:
    return {
        str(volume.get("name"))
        for volume in _items(spec.get("volumes"))
        for source in _items(_mapping(volume.get("projected")).get("sources"))
        if "serviceAccountToken" in source
    }


def _no_program(was: list[str], is_now: list[str]) -> str | None:
    """What stands in the place of a program and is none, in words."""
    program = is_now[0].rpartition("/")[2] if is_now else ""
    before = was[0].rpartition("/")[2] if was else ""
    if program in _SHELLS and before not in _SHELLS:
        return "a line for a shell"
    if program in _IDLERS and before != program:
        return f"one that does nothing ({program})"
    if program in _SHELLS and _ALWAYS.fullmatch(is_now[-1]):
        return "a line that does nothing"
    return None


def _blinded(old: Json, new: Json) -> Iterator[str]:
    """Probes that are still there and ask nothing any more."""
    for name in _PROBES:
        was, is_now = _mapping(old.get(name)), _mapping(new.get(name))
        if not was or not is_now or was == is_now:
            continue
        words = [str(word) for word in _mapping(is_now.get("exec")).get("command") or []]
        line = words[-1] if words[:1] and words[0].rpartition("/")[2] in _SHELLS else " ".join(words)
        if words and _ALWAYS.fullmatch(line):
            yield f"it makes the {name} one that always succeeds"
        if "httpGet" in was and "tcpSocket" in is_now:
            yield f"it makes the {name} ask for an open port only"
        if _patience(is_now) >= max(_BLIND_SECONDS, 2 * _patience(was)):
            yield f"it makes the {name} wait {_patience(is_now):.0f} s before it says anything"


def _patience(probe: Json) -> float:
    """Seconds until a probe that fails from the start has any effect."""
    numbers = [
        (probe.get("initialDelaySeconds"), 0),
        (probe.get("periodSeconds"), 10),
        (probe.get("failureThreshold"), 3),
    ]
    delay, period, failures = (value if isinstance(value, int) else standard for value, standard in numbers)
    return float(delay + period * failures)


def _literals(objects: Iterable[Json]) -> Iterator[str]:
    for obj in objects:
        for _, value in _settings(obj):
            yield value


def _settings(obj: Json) -> Iterator[tuple[str, str]]:
    """The literal settings of an object, each with its place."""
    if obj.get("kind") == "ConfigMap":
        for key, value in _mapping(obj.get("data")).items():
            yield f"data.{str(key)[:120]}", str(value)
    for one in _containers(obj):
        for item in _items(one.spec.get("env")):
            if item.get("value") is not None:
                yield f"{one.path}.env[{str(item.get('name'))[:120]}]", str(item["value"])


def _repository(image: str) -> str:
    """An image without tag and digest; names without a registry are Docker Hub's."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = f"{head}{slash}{last.partition(':')[0]}"
    first = name.partition("/")[0]
    if "/" not in name:
        return f"docker.io/library/{name}"
    return name if "." in first or ":" in first or first == "localhost" else f"docker.io/{name}"


def _containers(obj: Json) -> Iterator[ContainerAt]:
    yield from containers(pod_spec_of(obj) or {})


def _argv(container: Json) -> list[str]:
    """What is run, as far as the manifest says it."""
    words = [*_list(container.get("command")), *_list(container.get("args"))]
    return [str(word) for word in words]


def _metadata(obj: Json) -> Mapping[str, Any]:
    return _mapping(obj.get("metadata"))


def _spec(obj: Json) -> Mapping[str, Any]:
    return _mapping(obj.get("spec"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _items(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in _list(value) if isinstance(item, Mapping)]
