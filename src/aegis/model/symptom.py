"""How a workload fails, in terms that can be compared between production and a shadow.

A trial reproduces an incident only when the shadow fails as production fails: the same manner, exit code, reason and
deciding line. A shadow that fails of its own making is not a reproduction.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from aegis.model.refs import JsonObject


class Manner(StrEnum):
    """The ways to fail that a trial tells apart."""

    CRASH = "crash"
    """Containers end that should go on: judged by counting crashes."""
    NOT_READY = "not-ready"
    NO_ENDPOINTS = "no-endpoints"
    PULL = "pull"
    CONFIG = "config"
    SCHEDULING = "scheduling"
    ADMISSION = "admission"
    """Pods are not even created: quota, limits, policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The fingerprint of a failure.

    Attributes:
        manner: how it fails.
        reason: Kubernetes' own word: `OOMKilled`, `Error`, `ErrImagePull`, `CreateContainerConfigError`, `Unschedulable`.
        exit_code: of the container that ended; None where none did.
        container: the container's name; empty where the failure is not one container's.
        line: the deciding line (a log line, a probe's message, a waiting message), with what varies masked.
    """

    manner: Manner
    reason: str = ""
    exit_code: int | None = None
    container: str = ""
    line: str = ""

    def matches(self, other: Signature) -> bool:
        """Whether both show the same failure. A line that either side lacks does not tell them apart."""
        if (self.manner, self.exit_code, self.container) != (other.manner, other.exit_code, other.container):
            return False
        if _family(self.reason) != _family(other.reason):
            return False
        return not self.line or not other.line or self.line == other.line

    def to_dict(self) -> JsonObject:
        """For reports."""
        return {
            "manner": self.manner.value,
            "reason": self.reason,
            "exitCode": self.exit_code,
            "container": self.container,
            "line": self.line,
        }


_FAMILIES = {
    "ImagePullBackOff": "ErrImagePull",
    "CrashLoopBackOff": "Error",
    "CreateContainerError": "RunContainerError",
    "StartError": "RunContainerError",
}

_VARIABLE = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"), "<time>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"0x[0-9a-fA-F]+"), "<hex>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<ip>"),
    (re.compile(r"\baegis-shadow-[a-z0-9-]+"), "<namespace>"),
    (re.compile(r"\b\d+\b"), "<n>"),
)


def mask(line: str, *, name: str = "", namespace: str = "") -> str:
    """A line without what differs from run to run: times, addresses, numbers, identifiers.

    Args:
        line: one line of output.
        name: the pod's name, masked as a whole word.
        namespace: masked only where it stands as a namespace does (`web.shop.svc`, `shop/web`, `"shop"`): it may also
            be an ordinary word.
    """
    text = line.strip()[:512]
    if name:
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "<pod>", text)
    if namespace:
        word = re.escape(namespace)
        text = re.sub(rf"(?<=\.){word}(?![\w-])|(?<![\w-]){word}(?=/)|(?<=\"){word}(?=\")", "<namespace>", text)
    for pattern, replacement in _VARIABLE:
        text = pattern.sub(replacement, text)
    return text


def _family(reason: str) -> str:
    """Reasons that alternate for one failure count as one."""
    return _FAMILIES.get(reason, reason)
