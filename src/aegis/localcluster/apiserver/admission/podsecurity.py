"""Pod Security admission: what a namespace's labels say of the pods in it.

Source: the documentation of Pod Security admission and the words of Kubernetes' own. Audit labels are checked and
accepted; there is no audit log that they could write to. Every version is checked as the newest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aegis.kube.pod_security import pod_of
from aegis.kube.pod_template import template_of
from aegis.localcluster.apiserver.admission.request import Request
from aegis.localcluster.apiserver.admission.violations import LEVELS, Violation, violations
from aegis.localcluster.apiserver.refusals import Forbidden, Invalid, invalid_value
from aegis.localcluster.apiserver.store import Store
from aegis.localcluster.status import Cause

_PREFIX: Final = "pod-security.kubernetes.io/"
_MODES = ("enforce", "audit", "warn")
_VERSION = re.compile(r"latest|v1\.(0|[1-9]\d{0,3})")
_ENDED = frozenset({"Succeeded", "Failed"})
_WORKLOADS = frozenset({
    "deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch", "cronjobs.batch",
    "replicationcontrollers", "podtemplates",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Policy:
    """A level of the standards in one version, as `restricted:latest`."""

    level: str = "privileged"
    version: str = "latest"

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"

    @property
    def rank(self) -> int:
        """How strict it is."""
        return LEVELS.index(self.level)


class PodSecurity:
    """Refuses pods that the enforced level forbids, and warns of those that the level to warn of would."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def mutate(self, request: Request) -> None:
        """Nothing to change."""

    def judge(self, request: Request) -> None:
        """Hold a pod, a workload's template or a namespace's labels to the standards.

        Raises:
            Forbidden: the pod violates the enforced level.
            Invalid: a label of a namespace names no level, or no version.
        """
        name = request.resource.full_name
        if name == "namespaces" and not request.subresource:
            self._namespace(request)
        elif name == "pods" and (request.operation == "CREATE" or request.subresource == "ephemeralcontainers"):
            self._pod(request)
        elif name in _WORKLOADS and not request.subresource:
            self._workload(request)

    def _pod(self, request: Request) -> None:
        labels = self._labels(request.namespace)
        enforced = policy(labels, "enforce")
        if found := _violated(enforced, request.new):
            raise Forbidden(request.resource, request.name, f'violates PodSecurity "{enforced}": {_told(found)}')
        self._warn(request, labels, request.new)

    def _workload(self, request: Request) -> None:
        template = template_of(request.new)
        if template is None or (request.old is not None and template == template_of(request.old)):
            return
        self._warn(request, self._labels(request.namespace), template)

    def _warn(self, request: Request, labels: Mapping[str, str], template: Mapping[str, Any]) -> None:
        warned = policy(labels, "warn")
        if found := _violated(warned, template):
            request.warnings.append(f'would violate PodSecurity "{warned}": {_told(found)}')

    def _namespace(self, request: Request) -> None:
        labels = request.new["metadata"].get("labels") or {}
        if faults := label_faults(labels):
            raise Invalid(request.resource, request.name, faults)
        if request.old is None:
            return
        before, after = policy(request.old["metadata"].get("labels") or {}, "enforce"), policy(labels, "enforce")
        if after == before or after.rank <= before.rank:
            return
        if lines := self._existing(request.name, after):
            words = f'existing pods in namespace "{request.name}" violate the new PodSecurity enforce level "{after}"'
            request.warnings.extend([words, *lines])

    def _existing(self, namespace: str, wanted: Policy) -> list[str]:
        """One line for all pods that violate a level in the same way."""
        by_reasons: dict[str, list[str]] = {}
        for pod in self._store.objects("pods", namespace):
            if (pod.get("status") or {}).get("phase") in _ENDED:
                continue
            if found := _violated(wanted, pod):
                by_reasons.setdefault(", ".join(v.reason for v in found), []).append(pod["metadata"]["name"])
        lines = []
        for reasons, names in by_reasons.items():
            first, *others = sorted(names)
            more = f" (and {len(others)} other pod{'s' if len(others) > 1 else ''})" if others else ""
            lines.append(f"{first}{more}: {reasons}")
        return sorted(lines)

    def _labels(self, namespace: str | None) -> Mapping[str, str]:
        space = self._store.get("namespaces", (None, namespace or ""))
        return (space["metadata"].get("labels") or {}) if space is not None else {}


def policy(labels: Mapping[str, str], mode: str) -> Policy:
    """What a namespace's labels ask of a mode: warnings are as strict as what is enforced, unless they say more."""
    level, version = labels.get(f"{_PREFIX}{mode}", ""), labels.get(f"{_PREFIX}{mode}-version")
    if mode == "warn" and not level:
        enforced = policy(labels, "enforce")
        return Policy(enforced.level, version or enforced.version)
    return Policy(level if level in LEVELS else "privileged", version or "latest")


def label_faults(labels: Mapping[str, str]) -> list[Cause]:
    """What is wrong with the labels of a namespace."""
    faults = []
    for mode in _MODES:
        level, version = f"{_PREFIX}{mode}", f"{_PREFIX}{mode}-version"
        if level in labels and labels[level] not in LEVELS:
            why = f"must be one of {', '.join(LEVELS)}"
            faults.append(invalid_value(f"metadata.labels[{level}]", labels[level], why))
        if version in labels and not _VERSION.fullmatch(labels[version]):
            why = 'must be "latest" or "v1.x"'
            faults.append(invalid_value(f"metadata.labels[{version}]", labels[version], why))
    return faults


def _violated(wanted: Policy, template: Mapping[str, Any]) -> Sequence[Violation]:
    return violations(wanted.level, pod_of(template)) if wanted.rank else ()


def _told(found: Sequence[Violation]) -> str:
    return ", ".join(f"{v.reason} ({v.detail})" if v.detail else v.reason for v in found)
