"""What no fix may do, however well it would make a symptom go away.

A patch that removes a probe, scales to zero or drops a limit turns an alert green without mending anything; a patch that
weakens security mends one thing by breaking another. `violations` compares each object before and after.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aegis.diagnosis.outcome import leaves, outcome
from aegis.diagnosis.reading import at, items, mapping, text
from aegis.kube.pod_template import containers, pod_spec_of
from aegis.model.changes import Apply, Change, ChangeSet, Delete, Evict, Fix, JsonPatch
from aegis.model.redact import contains_mark
from aegis.model.refs import Json, ObjectRef

_RBAC = frozenset({"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"})
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOST_FIELDS = ("hostNetwork", "hostPID", "hostIPC")
_POD_SECURITY = "pod-security.kubernetes.io/enforce"
_LEVELS = {"privileged": 0, "baseline": 1, "restricted": 2}


def violations(change_set: ChangeSet, live: Iterable[Json]) -> list[str]:
    """What a change set does that no fix may do, one sentence each; empty where it is permitted.

    Args:
        change_set: what would be done.
        live: the objects that it touches, as they are now. One that is not given cannot be checked: a violation.
    """
    known: dict[tuple[str, str, str], Json] = {}
    for obj in live:
        ref = ObjectRef.of(obj)
        known[ref.kind, ref.namespace, ref.name] = obj
    found: list[str] = []
    for change in change_set.changes:
        key = (change.target.kind, change.target.namespace, change.target.name)
        found += _of_change(change, known.get(key))
        if isinstance(change, Apply | JsonPatch) and (before := known.get(key)) is not None:
            known[key] = outcome(before, change) or before
    return list(dict.fromkeys(found))


def unfounded(fix: Fix) -> list[str]:
    """The paths of a fix's changes whose values no provenance explains, or whose provenance says another value."""
    found: list[str] = []
    for change in fix.change_set.changes if fix.change_set else ():
        if isinstance(change, Apply):
            found += [path for path, value in leaves(change.patch) if not _explained(fix, path, value)]
        elif isinstance(change, JsonPatch):
            values = [item.value for item in fix.provenance]
            found += [
                text(operation.get("path"))
                for operation in change.patch
                if operation.get("op") in {"add", "replace"} and operation.get("value") not in values
            ]
    return found


def _explained(fix: Fix, path: str, value: Any) -> bool:
    for item in fix.provenance:
        if path in {item.path, f"{item.path}.value"} and not isinstance(item.value, dict):
            return bool(item.value == value)
        if path.startswith((item.path + ".", item.path + "[")):
            inner = dict(leaves(item.value, item.path))
            return path in inner and bool(inner[path] == value)
    return False


def _of_change(change: Change, before: Json | None) -> Iterator[str]:
    ref = change.target
    if before is None:
        yield f"{ref} is not known, so the change cannot be checked"
        return
    if isinstance(change, Evict):
        return
    if isinstance(change, Delete):
        controlled = any(owner.get("controller") for owner in items(at(before, "metadata", "ownerReferences")))
        if not (ref.kind == "Pod" and controlled):
            yield f"it deletes {ref}"
        return
    if contains_mark([dict(change.patch)] if isinstance(change, Apply) else list(change.patch)):
        yield f"it writes a redacted value to {ref}"
    after = outcome(before, change)
    if after is None:
        yield f"its operations do not fit {ref}"
        return
    for check in (_identity, _scale, _rbac, _policy, _namespace, _pod):
        yield from (f"{said} ({ref})" for said in check(before, after))


def _identity(before: Json, after: Json) -> Iterator[str]:
    for field in ("name", "namespace", "uid", "ownerReferences", "finalizers"):
        if at(before, "metadata", field) != at(after, "metadata", field):
            yield f"it changes metadata.{field}"


def _scale(before: Json, after: Json) -> Iterator[str]:
    if at(after, "spec", "replicas") == 0 and at(before, "spec", "replicas") != 0:
        yield "it scales to zero"
    if at(after, "spec", "suspend") is True and at(before, "spec", "suspend") is not True:
        yield "it suspends"
    if at(after, "spec", "paused") is True and at(before, "spec", "paused") is not True:
        yield "it pauses the rollout"


def _rbac(before: Json, after: Json) -> Iterator[str]:
    if before.get("kind") in _RBAC and before != after:
        yield "it changes access rights"


def _policy(before: Json, after: Json) -> Iterator[str]:
    """A NetworkPolicy may only be given further rules, each with its peers and ports."""
    if before.get("kind") != "NetworkPolicy":
        return
    for field in ("podSelector", "policyTypes"):
        if at(before, "spec", field) != at(after, "spec", field):
            yield f"it changes what the policy covers (spec.{field})"
    for field, peers in (("ingress", "from"), ("egress", "to")):
        old, new = items(at(before, "spec", field)), items(at(after, "spec", field))
        if any(entry not in new for entry in old):
            yield f"it takes a rule out of spec.{field}"
        if any(entry not in old and (not entry.get(peers) or not entry.get("ports")) for entry in new):
            yield f"it opens spec.{field} to everyone or to every port"


def _namespace(before: Json, after: Json) -> Iterator[str]:
    if before.get("kind") != "Namespace":
        return
    levels = [
        _LEVELS.get(text(mapping(at(obj, "metadata", "labels")).get(_POD_SECURITY)), 0) for obj in (before, after)
    ]
    if levels[1] < levels[0]:
        yield "it lowers the Pod Security level"


def _pod(before: Json, after: Json) -> Iterator[str]:
    old, new = pod_spec_of(before), pod_spec_of(after)
    if old is None:
        return
    if new is None:
        yield "it takes the pod template away"
        return
    yield from _host(old, new)
    yield from _context("the pod", mapping(old.get("securityContext")), mapping(new.get("securityContext")))
    if old.get("automountServiceAccountToken") is False and new.get("automountServiceAccountToken") is not False:
        yield "it mounts the service account's token"
    known = {found.path: found.spec for found in containers(old)}
    added = {found.path: found.spec for found in containers(new)}
    for path, spec in added.items():
        yield from _container(path, known.get(path, {}), spec)
    yield from (f"it removes {path}" for path in known if path not in added)


def _host(old: Json, new: Json) -> Iterator[str]:
    for field in _HOST_FIELDS:
        if new.get(field) is True and old.get(field) is not True:
            yield f"it sets {field}"
    if old.get("hostUsers") is False and new.get("hostUsers") is not False:
        yield "it gives up the user namespace (hostUsers)"
    hosted = [volume for volume in items(old.get("volumes")) if "hostPath" in volume]
    if any("hostPath" in volume and volume not in hosted for volume in items(new.get("volumes"))):
        yield "it mounts a path of the host"


def _container(path: str, old: Json, new: Json) -> Iterator[str]:
    yield from (f"it removes the {probe} of {path}" for probe in _PROBES if old.get(probe) and not new.get(probe))
    limits = mapping(at(new, "resources", "limits"))
    yield from (
        f"it removes the {name} limit of {path}"
        for name in mapping(at(old, "resources", "limits"))
        if name not in limits
    )
    host_ports = [port.get("hostPort") for port in items(old.get("ports"))]
    if any(port.get("hostPort") and port.get("hostPort") not in host_ports for port in items(new.get("ports"))):
        yield f"it opens a port of the host in {path}"
    yield from _context(path, mapping(old.get("securityContext")), mapping(new.get("securityContext")))


def _context(path: str, old: Json, new: Json) -> Iterator[str]:
    """Whether a securityContext becomes weaker."""
    if new.get("privileged") is True and old.get("privileged") is not True:
        yield f"it makes {path} privileged"
    for field, safe in (("allowPrivilegeEscalation", False), ("runAsNonRoot", True), ("readOnlyRootFilesystem", True)):
        if old.get(field) is safe and new.get(field) is not safe:
            yield f"it weakens {field} of {path}"
    if new.get("runAsUser") == 0 and old.get("runAsUser") != 0:
        yield f"it lets {path} run as root"
    added = [_names(at(context, "capabilities", "add")) for context in (old, new)]
    dropped = [_names(at(context, "capabilities", "drop")) for context in (old, new)]
    if added[1] - added[0]:
        yield f"it gives {path} capabilities"
    if dropped[0] - dropped[1] and "ALL" not in dropped[1]:
        yield f"it gives {path} dropped capabilities back"
    for field in ("seccompProfile", "appArmorProfile", "seLinuxOptions"):
        was, is_now = mapping(old.get(field)), mapping(new.get(field))
        if (was and not is_now) or (is_now.get("type") == "Unconfined" and was.get("type") != "Unconfined"):
            yield f"it weakens {field} of {path}"
    if new.get("procMount") == "Unmasked" and old.get("procMount") != "Unmasked":
        yield f"it unmasks /proc of {path}"


def _names(value: Any) -> frozenset[str]:
    return (
        frozenset(str(item) for item in value)
        if isinstance(value, Sequence) and not isinstance(value, str)
        else frozenset()
    )
