"""What production looks like before a trial: the closure of the target, and how it fails."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aegis.errors import NotFound, Refused
from aegis.model.changes import Change
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.signature import container_statuses, is_ready
from aegis.model.symptom import Manner, Signature
from aegis.shadow.closure import MOST_OBJECTS, Closure, closure
from aegis.shadow.reading import read_signature
from aegis.shadow.tools import TrialTools
from aegis.shadow.workloads import WORKLOADS, owned_by

_LISTED = (("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("v1", "Service"))
_ROUNDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """Production, as far as a trial needs it.

    Attributes:
        known: every object that was read, None for what is not there.
        found: what a shadow must hold.
        pods: of the workloads that are tried.
        limit_ranges: of the namespace: they shape what a pod gets.
        signature: how the target fails; None where it does not, as far as one sees.
        between_crashes: nominal seconds from one crash to the next; None where nothing crashed.
    """

    known: dict[ObjectRef, Json | None]
    found: Closure
    pods: tuple[Json, ...]
    limit_ranges: tuple[JsonObject, ...]
    signature: Signature | None
    between_crashes: float | None


async def survey(
    tools: TrialTools, target: ObjectRef, changes: tuple[Change, ...], signature: Signature | None
) -> Production:
    """Read what a trial of these changes has to copy.

    Args:
        tools: of the trial.
        target: what was reported.
        changes: of the fix.
        signature: how the target fails, where a diagnosis says so already.

    Raises:
        NotFound: if the target is not there.
        Refused: if it drags too much along.
    """
    every = await tools.reader.list("v1", "Pod", namespace=target.namespace)
    known = await _listed(tools, target.namespace)
    known |= {ObjectRef.of(pod): pod for pod in every if not (pod.get("metadata") or {}).get("ownerReferences")}
    if target not in known:
        known[target] = await tools.reader.find(target)
    if known[target] is None:
        raise NotFound(f"{target} is not there")
    found = await close(tools, target, changes, known)
    pods = [pod for pod in every if any(owned_by(pod, ref.kind, ref.name) for ref in found.subjects)]
    return Production(
        known=known,
        found=found,
        pods=tuple(pods),
        limit_ranges=tuple(await tools.reader.list("v1", "LimitRange", namespace=target.namespace)),
        signature=signature or await _signature(tools, target, pods),
        between_crashes=between_crashes(pods, datetime.now(UTC), tools.cluster.time_scale),
    )


async def close(
    tools: TrialTools, target: ObjectRef, changes: Sequence[Change], known: dict[ObjectRef, Json | None]
) -> Closure:
    """The closure, with whatever has to be read for it, which is then known.

    Raises:
        Refused: if the target drags too much along.
    """
    found = closure(target, changes, known)
    for _ in range(_ROUNDS):
        if not found.missing:
            break
        for ref in found.missing:
            known[ref] = await tools.reader.find(ref)
        found = closure(target, changes, known)
    if len(found.workloads) + len(found.named) > MOST_OBJECTS:
        raise Refused(f"{target} depends on {len(found.workloads)} workloads: too much for a trial")
    return found


def between_crashes(pods: Iterable[Json], now: datetime, time_scale: float = 1.0) -> float | None:
    """The longest mean time between two crashes of a pod, in nominal seconds; None where none crashed twice."""
    means = []
    for pod in pods:
        restarts = max((int(status.get("restartCount") or 0) for status in container_statuses(pod)), default=0)
        started = (pod.get("status") or {}).get("startTime")
        if restarts and started:
            age = (now - datetime.fromisoformat(str(started))).total_seconds() * time_scale
            means.append(age / restarts)
    return max(means, default=None)


async def _listed(tools: TrialTools, namespace: str) -> dict[ObjectRef, Json | None]:
    known: dict[ObjectRef, Json | None] = {}
    for api_version, kind in _LISTED:
        for obj in await tools.reader.list(api_version, kind, namespace=namespace):
            known[ObjectRef.of(obj)] = obj
    return known


async def _signature(tools: TrialTools, target: ObjectRef, pods: Sequence[Json]) -> Signature | None:
    """How production fails: the newest failing pod says it; a Service fails where no pod of it is an endpoint.

    A pod that is only not ready may be starting yet: another of the same revision that shows more is believed before it.
    """
    if target.kind == "Service":
        return await _endpoints(tools, target)
    if target.kind not in WORKLOADS:
        return None
    newest = sorted(pods, key=lambda pod: str((pod.get("metadata") or {}).get("creationTimestamp")), reverse=True)
    failing = [pod for pod in newest if not is_ready(pod)] or newest
    starting, revision = None, None
    for pod in failing:
        if starting is not None and _revision(pod) != revision:
            continue
        signature = await read_signature(tools.reader, pod)
        if signature is not None and signature.manner is not Manner.NOT_READY:
            return signature
        if signature is not None and starting is None:
            starting, revision = signature, _revision(pod)
    return starting


def _revision(pod: Json) -> str:
    """The name of what made a pod."""
    owners = (pod.get("metadata") or {}).get("ownerReferences") or [{}]
    return str(owners[0].get("name") or "")


async def _endpoints(tools: TrialTools, service: ObjectRef) -> Signature | None:
    slices = await tools.reader.list(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        namespace=service.namespace,
        labels=f"kubernetes.io/service-name={service.name}",
    )
    ready = any(
        (endpoint.get("conditions") or {}).get("ready") is not False
        for one in slices
        for endpoint in one.get("endpoints") or []
    )
    return None if ready else Signature(manner=Manner.NO_ENDPOINTS)
