"""Whose an alert is: the workload behind a pod's name, and the program behind a process.

A pod's name is its owner's, a hash of the revision and five characters of chance; the characters are those of
Kubernetes' `rand.SafeEncodeString` (no vowels, no 0, 1, 3), so `nginx-proxy` keeps its last word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from aegis.falco.alert import Alert
from aegis.falco.derived import is_altered, told_field
from aegis.triage.knowledge import PROGRAM_FOLDERS, TOOLCHAINS

_OWNERS: Final = (
    "k8smeta.deployment.name", "k8s.deployment.name", "k8smeta.statefulset.name", "k8smeta.daemonset.name",
)  # fmt: skip
_CHANCE: Final = re.compile(r"-(?:[bcdfghjklmnpqrstvwxz2456789]{5}|(?=[a-z]*\d)[a-z0-9]{5})$", re.ASCII)
_REVISION: Final = re.compile(r"-(?:[bcdfghjklmnpqrstvwxz2456789]{8,10}|(?=[a-f]*\d)[0-9a-f]{8,10})$", re.ASCII)
_SCHEDULED: Final = re.compile(r"-\d{8,10}$", re.ASCII)
_RERUN: Final = re.compile(r"aegis-rerun-(.+)-[0-9a-f]{6}", re.ASCII)
"""A Job that AEGIS starts to verify a mend (`aegis.triage.verify`)."""
_ORDINAL: Final = re.compile(r"-\d{1,5}$", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What runs the program.

    Attributes:
        namespace: empty where it is not known.
        name: of the Deployment, StatefulSet, CronJob… as the pod's name tells it; empty where there is none.
        image: its repository.
        container: its id, only where neither namespace nor pod is known.
        host: the node, only where there is no container either.
    """

    namespace: str = ""
    name: str = ""
    image: str = ""
    container: str = ""
    host: str = ""

    @property
    def is_known(self) -> bool:
        """Whether a mend could be scoped to it."""
        return bool(self.namespace and self.name and self.image)

    @property
    def place(self) -> tuple[str, ...]:
        """Where attacks are looked for together: a workload, whatever its containers' images."""
        return (self.namespace, self.name, self.container, self.host)

    def __str__(self) -> str:
        if self.namespace or self.name:
            return f"{self.namespace or '?'}/{self.name or '?'}"
        return f"container {self.container}" if self.container else f"host {self.host or '?'}"


def workload_of(alert: Alert) -> Workload:
    """Whose an alert is. What was parsed from text, or shortened, is taken only for grouping: it scopes nothing."""
    namespace, pod = alert.text("k8s.ns.name"), alert.text("k8s.pod.name")
    image, container = alert.text("container.image.repository"), alert.text("container.id")
    if not namespace and not pod:
        if container in {"", "host"}:
            return Workload(host=alert.hostname or "?")
        return Workload(container=container, image=image)
    owner = next((name for field in _OWNERS if (name := alert.text(field))), "")
    return Workload(namespace=namespace, name=owner or workload_name(pod, alert.hostname), image=image)


def workload_name(pod: str, node: str = "") -> str:
    """The name of what owns a pod, as far as the pod's name tells."""
    if node and pod.endswith(f"-{node}"):
        return pod.removesuffix(f"-{node}")
    base = _CHANCE.sub("", pod)
    if base == pod:
        return _ORDINAL.sub("", pod) or pod
    if again := _RERUN.fullmatch(base):
        return again[1]
    for pattern in (_SCHEDULED, _REVISION):
        shorter = pattern.sub("", base)
        if shorter != base:
            return shorter or base
    return base or pod


def is_scheduled(pod: str) -> bool:
    """Whether a pod's name is one that a CronJob gives: its owner's, the minute, five characters; or of a Job of ours."""
    base = _CHANCE.sub("", pod)
    return base != pod and bool(_SCHEDULED.search(base) or _RERUN.fullmatch(base))


def container_of(alert: Alert) -> tuple[str, ...]:
    """The container that an alert is of, whatever tells it."""
    found = alert.text("container.id")
    if found and found != "host":
        return ("container", found)
    pod = alert.text("k8s.pod.name")
    if pod:
        return ("pod", alert.text("k8s.ns.name"), pod)
    return ("host", alert.hostname)


def program_of(alert: Alert) -> str:
    """The path of the program, or its name where that is all that is told."""
    path = told_field(alert.fields, "proc.exepath")
    return str(path) if path else alert.text("proc.name")


def identity_of(alert: Alert) -> str:
    """By what process alerts are grouped: one package manager with all its programs, else the program itself."""
    return toolchain_of(alert) or program_of(alert) or alert.text("proc.pname")


def toolchain_of(alert: Alert) -> str:
    """The package manager that a process belongs to; empty where it is none, or does not stand where it should."""
    name = alert.text("proc.name")
    return TOOLCHAINS.get(name, "") if is_in_place(alert) else ""


def is_in_place(alert: Alert) -> bool:
    """Whether the program is told to stand where programs stand: not in /tmp, /dev/shm, a home, or memory."""
    path = told_field(alert.fields, "proc.exepath")
    if not isinstance(path, str) or is_altered(path) or ".." in path.split("/"):
        return False
    return path.startswith(PROGRAM_FOLDERS) and not any(part.startswith(".") for part in path.split("/"))
