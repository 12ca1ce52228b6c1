"""What is wrong with several objects at once, from one reading of their namespaces: the calls do not grow with the objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from aegis.diagnosis.engine import diagnose, diagnose_all
from aegis.diagnosis.ties import WORKLOADS
from aegis.evidence.kubernetes import KubernetesEvidence
from aegis.kube.pod_template import template_labels
from aegis.kube.selector import Selector
from aegis.model.diagnosis import Diagnosis
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was seen, and what it says."""

    evidence: tuple[Evidence, ...]
    found: tuple[Diagnosis, ...]


async def survey(
    reader: ClusterReader, wanted: Wanted, *, own: frozenset[str], clock: Callable[[], datetime]
) -> Survey:
    """Look at all that is wanted.

    Args:
        reader: of the cluster.
        wanted: which objects.
        own: the namespaces of our own shadows, which are no production.
        clock: what time it is.
    """
    scale = (await reader.cluster()).time_scale
    namespaces = wanted.namespaces or tuple(sorted({ref.namespace for ref in wanted.targets}))
    excluded = own - {ref.namespace for ref in wanted.targets}
    request = EvidenceRequest(target=None, namespaces=namespaces, excluded=excluded)
    evidence = tuple(await KubernetesEvidence(reader).collect(request))
    if wanted.targets:
        return Survey(
            evidence=evidence,
            found=tuple(diagnose(evidence, ref, now=clock(), time_scale=scale) for ref in wanted.targets),
        )
    filtered = bool(wanted.kind or wanted.selector)
    found = diagnose_all(evidence, now=clock(), time_scale=scale, only=wanted.takes if filtered else None)
    return Survey(evidence=evidence, found=found)
