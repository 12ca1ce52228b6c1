"""What is wrong with several objects at once, from one reading of their namespaces: the calls do not grow with the objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aegis.diagnosis.engine import diagnose, diagnose_all
from aegis.diagnosis.ties import WORKLOADS
from aegis.errors import PermissionDenied, Unavailable
from aegis.evidence.kubernetes import KubernetesEvidence
from aegis.kube.pod_template import template_labels
from aegis.kube.selector import Selector
from aegis.model.diagnosis import Confidence, Diagnosis
from aegis.model.evidence import Evidence
from aegis.model.refs import Json, ObjectRef
from aegis.ports import ClusterReader, EvidenceRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which objects' problems are wanted.

    Attributes:
        namespaces: where; none: everywhere.
        targets: these objects, each told whether it is well or not; none: whatever fails.
        kind: only objects of this kind; empty: of any.
        selector: only objects whose own labels, or whose pods' labels, it takes; None: all.
    """

    namespaces: tuple[str, ...]
    targets: tuple[ObjectRef, ...] = ()
    kind: str = ""
    selector: Selector | None = None

    def takes(self, ref: ObjectRef, obj: Json) -> bool:
        """Whether an object is one of them; a pod's problem is its workload's."""
        if self.kind and self.kind != ref.kind and not (self.kind == "Pod" and ref.kind in WORKLOADS):
            return False
        if self.selector is None:
            return True
        own = (obj.get("metadata") or {}).get("labels") or {}
        return self.selector.matches(own) or self.selector.matches(template_labels(obj))


_FAILING: Final = frozenset({"Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "Service"})
"""Kinds without which nobody can say that nothing is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was seen, and what it says.

    Attributes:
        evidence: what was read.
        found: the diagnoses.
        unread: what could not be read, in words.
    """

    evidence: tuple[Evidence, ...]
    found: tuple[Diagnosis, ...]
    unread: tuple[str, ...] = ()


async def survey(
    reader: ClusterReader, wanted: Wanted, *, own: frozenset[str], clock: Callable[[], datetime]
) -> Survey:
    """Look at all that is wanted.

    Args:
        reader: of the cluster.
        wanted: which objects.
        own: the namespaces of our own shadows, which are no production.
        clock: what time it is.

    Raises:
        PermissionDenied: if nothing is found, and what may fail could not be read.
        Unavailable: the same, for another reason.
    """
    scale = (await reader.cluster()).time_scale
    namespaces = wanted.namespaces or tuple(sorted({ref.namespace for ref in wanted.targets}))
    excluded = own - {ref.namespace for ref in wanted.targets}
    request = EvidenceRequest(target=None, namespaces=namespaces, excluded=excluded)
    evidence = tuple(await KubernetesEvidence(reader).collect(request))
    found = _diagnosed(evidence, wanted, clock(), scale)
    unread = require_seen(evidence, found)
    return Survey(evidence=evidence, found=found, unread=tuple(item.summary for item in unread.values()))


def require_seen(evidence: Iterable[Evidence], found: Iterable[Diagnosis]) -> dict[str, Evidence]:
    """What could not be read, by its kind. What was not looked at is not healthy.

    Args:
        evidence: what was read, with the notes about what was not.
        found: what it says.

    Raises:
        PermissionDenied: if all seems well only because the caller may not see what could fail.
        Unavailable: if it does because that could not be read.
    """
    unread = {item.subject.kind: item for item in evidence if item.source == "note" and "code" in item.payload}
    blind = [item for kind, item in sorted(unread.items()) if kind in _FAILING]
    if blind and all(one.verdict is Confidence.HEALTHY for one in found):
        denied = blind[0].payload["code"] == PermissionDenied.code
        error = PermissionDenied if denied else Unavailable
        raise error(blind[0].summary, hint="Look where you may, with -n." if denied else "Try again.")
    return unread


def _diagnosed(evidence: tuple[Evidence, ...], wanted: Wanted, now: datetime, scale: float) -> tuple[Diagnosis, ...]:
    if wanted.targets:
        return tuple(diagnose(evidence, ref, now=now, time_scale=scale) for ref in wanted.targets)
    only = wanted.takes if wanted.kind or wanted.selector else None
    return diagnose_all(evidence, now=now, time_scale=scale, only=only)
