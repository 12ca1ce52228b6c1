"""The violations of a level of the Pod Security Standards, in the words of Pod Security admission. Pure.

Which controls there are and what they look at is `aegis.kube.pod_security`'s; here their faults become the sentences
that people know from `kubectl`, in its order: baseline first, each half by the name of the check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from aegis.kube.pod_security import CONTROLS, Fault, Pod, context_of

LEVELS: Final = ("privileged", "baseline", "restricted")

Faults = Sequence[Fault]
Words = Callable[[Pod, Faults], str]

_CONTAINER = re.compile(r"[a-zA-Z]*ontainers\[([^\]]*)\]")
_ITEM = re.compile(r"\[([^\]]*)\]$")
_CHECKS = {control.id: control.check for control in CONTROLS}
_CONTEXT = "securityContext"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One check that a pod does not pass: what it is about, and where the pod fails."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Check:
    reason: str
    controls: tuple[str, ...]
    words: Words
    several: str = ""
    """The reason where more than one value is at fault, if that is another."""


def violations(level: str, pod: Pod) -> list[Violation]:
    """Every check of a level that a pod fails."""
    found = []
    for check in _BY_LEVEL[level]:
        faults = [fault for control in check.controls for fault in _CHECKS[control](pod)]
        if faults:
            reason = check.reason if len({f.found for f in faults}) == 1 else check.several or check.reason
            found.append(Violation(reason=reason, detail=check.words(pod, faults)))
    return found


def _names(faults: Iterable[Fault]) -> list[str]:
    """The containers that faults are in, each once; none for a fault of the pod itself."""
    matches = (_CONTAINER.match(f.location) for f in faults)
    return list(dict.fromkeys(m.group(1) for m in matches if m))


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _containers(faults: Iterable[Fault]) -> str:
    names = _names(faults)
    return f"{'container' if len(names) == 1 else 'containers'} {_quoted(names)}"


def _setters(faults: Faults) -> str:
    """Who set something: the pod, its containers, or both."""
    parts = ["pod"] if any(not _CONTAINER.match(f.location) for f in faults) else []
    return " and ".join([*parts, *([_containers(faults)] if _names(faults) else [])])


def _found(faults: Iterable[Fault]) -> list[str]:
    return sorted({f.found for f in faults})


def _items(faults: Iterable[Fault]) -> list[str]:
    matches = (_ITEM.search(f.location.removesuffix(".hostPath")) for f in faults)
    return [m.group(1) for m in matches if m]


def _must_not(what: str) -> Words:
    return lambda _, faults: f"{_setters(faults)} must not {what}"


def _must_not_set(field: str) -> Words:
    return lambda _, faults: f"{_setters(faults)} must not set {_CONTEXT}.{field} to {_quoted(_found(faults))}"


def _host_namespaces(_: Pod, faults: Faults) -> str:
    return ", ".join(f"{f.location}=true" for f in faults)


def _host_paths(_: Pod, faults: Faults) -> str:
    return f"{'volume' if len(faults) == 1 else 'volumes'} {_quoted(_items(faults))}"


def _host_ports(_: Pod, faults: Faults) -> str:
    verb, ports = ("uses" if len(_names(faults)) == 1 else "use"), _found(faults)
    noun = "hostPort" if len(ports) == 1 else "hostPorts"
    return f"{_containers(faults)} {verb} {noun} {', '.join(ports)}"


def _probe_hosts(_: Pod, faults: Faults) -> str:
    verb = "uses" if len(_names(faults)) == 1 else "use"
    noun = "probe or lifecycle host" if len(_found(faults)) == 1 else "probe or lifecycle hosts"
    return f"{_containers(faults)} {verb} {noun} {_quoted(_found(faults))}"


def _added(faults: Faults) -> str:
    return f"{_containers(faults)} must not include {_quoted(_found(faults))} in {_CONTEXT}.capabilities.add"


def _capabilities(_: Pod, faults: Faults) -> str:
    added = [f for f in faults if f.location.endswith("]")]
    kept = [f for f in faults if not f.location.endswith("]")]
    parts = [f'{_containers(kept)} must set {_CONTEXT}.capabilities.drop=["ALL"]'] if kept else []
    return "; ".join([*parts, *([_added(added)] if added else [])])


def _apparmor(_: Pod, faults: Faults) -> str:
    annotations = [f for f in faults if f.location.startswith("annotations[")]
    of_fields = [f for f in faults if f not in annotations]
    setters = [_setters(of_fields)] if of_fields else []
    setters += [f"annotation{'s' if len(annotations) > 1 else ''}"] if annotations else []
    marks = sorted(f'{_items([f])[0]}="{f.found}"' for f in annotations)
    return f"{' and '.join(setters)} must not set AppArmor profile type to {_quoted([*_found(of_fields), *marks])}"


def _selinux(_: Pod, faults: Faults) -> str:
    types = _found(f for f in faults if f.location.endswith(".type"))
    parts = [f"type{'s' if len(types) > 1 else ''} {_quoted(types)}"] if types else []
    set_too = [n for n in ("user", "role") if any(f.location.endswith(f".{n}") for f in faults)]
    parts.extend(f"{name} may not be set" for name in set_too)
    return f"{_setters(faults)} set forbidden {_CONTEXT}.seLinuxOptions: {'; '.join(parts)}"


def _sysctls(_: Pod, faults: Faults) -> str:
    return ", ".join(sorted(_items(faults)))


def _volume_types(pod: Pod, faults: Faults) -> str:
    names = _items(faults)
    volumes = [v for v in pod.spec.get("volumes") or () if v.get("name") in names]
    kinds = sorted({key for v in volumes for key, value in v.items() if key != "name" and value is not None})
    nouns = ("volume", "uses", "type") if len(names) == 1 else ("volumes", "use", "types")
    plural = "type" if len(kinds) == 1 else "types"
    return f"{nouns[0]} {_quoted(names)} {nouns[1]} restricted volume {plural} {_quoted(kinds)}"


def _non_root(pod: Pod, faults: Faults) -> str:
    setters = ["pod"] if pod.context.get("runAsNonRoot") is False else []
    own = {at.path for at in pod.containers if context_of(at).get("runAsNonRoot") is False}
    explicit = [f for f in faults if f.location.partition(f".{_CONTEXT}")[0] in own]
    setters += [_containers(explicit)] if explicit else []
    if setters:
        return f"{' and '.join(setters)} must not set {_CONTEXT}.runAsNonRoot=false"
    return f"pod or {_containers(faults)} must set {_CONTEXT}.runAsNonRoot=true"


def _seccomp(_: Pod, faults: Faults) -> str:
    explicit = [f for f in faults if f.location.endswith(".type")]
    if explicit:
        return f"{_setters(explicit)} must not set {_CONTEXT}.seccompProfile.type to {_quoted(_found(explicit))}"
    return f'pod or {_containers(faults)} must set {_CONTEXT}.seccompProfile.type to "RuntimeDefault" or "Localhost"'


_BOTH: tuple[_Check, ...] = (
    _Check("forbidden AppArmor profile", ("apparmor",), _apparmor, several="forbidden AppArmor profiles"),
    _Check("host namespaces", ("host-namespaces",), _host_namespaces),
    _Check("hostPort", ("host-ports",), _host_ports),
    _Check("probe or lifecycle host", ("probe-host",), _probe_hosts),
    _Check("privileged", ("privileged",), _must_not(f"set {_CONTEXT}.privileged=true")),
    _Check("procMount", ("proc-mount",), _must_not_set("procMount")),
    _Check("seLinuxOptions", ("selinux",), _selinux),
    _Check("forbidden sysctls", ("sysctls",), _sysctls),
    _Check("hostProcess", ("host-process",), _must_not(f"set {_CONTEXT}.windowsOptions.hostProcess=true")),
)
_BASELINE = (
    _BOTH[0],
    _Check("non-default capabilities", ("capabilities",), lambda _, faults: _added(faults)),
    _BOTH[1],
    _Check("hostPath volumes", ("host-path",), _host_paths),
    *_BOTH[2:7],
    _Check("seccompProfile", ("seccomp",), _seccomp),
    *_BOTH[7:],
)
_RESTRICTED = (
    *_BOTH,
    _Check(
        "allowPrivilegeEscalation != false",
        ("privilege-escalation",),
        lambda _, faults: f"{_containers(faults)} must set {_CONTEXT}.allowPrivilegeEscalation=false",
    ),
    _Check("unrestricted capabilities", ("capabilities", "drop-capabilities"), _capabilities),
    _Check("procMount", ("proc-mount-restricted",), _must_not_set("procMount")),
    _Check("restricted volume types", ("host-path", "volume-types"), _volume_types),
    _Check("runAsNonRoot != true", ("run-as-non-root",), _non_root),
    _Check("runAsUser=0", ("run-as-user",), _must_not("set runAsUser=0")),
    _Check("seccompProfile", ("seccomp", "seccomp-required"), _seccomp),
)
_BY_LEVEL: dict[str, tuple[_Check, ...]] = {"privileged": (), "baseline": _BASELINE, "restricted": _RESTRICTED}
