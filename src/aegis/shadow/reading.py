"""Reading a pod's failure with all that explains it: its events and what its containers wrote."""

from __future__ import annotations

from collections.abc import Sequence

from aegis.errors import Invalid, NotFound
from aegis.model.refs import Json
from aegis.model.signature import container_statuses, last_termination, signature_of
from aegis.model.symptom import Signature
from aegis.ports import ClusterReader, LogQuery

_LINES, _BYTES = 50, 1 << 16
_KILLED = frozenset({137, 143})


async def read_signature(reader: ClusterReader, pod: Json, events: Sequence[Json] | None = None) -> Signature | None:
    """How a pod fails, with the deciding line of its log.

    Args:
        reader: of the cluster.
        pod: the Pod.
        events: Events that may be about it; None reads them.
    """
    metadata = pod.get("metadata") or {}
    namespace, name = str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
    if events is None:
        fields = f"involvedObject.kind=Pod,involvedObject.name={name}"
        events = await reader.list("v1", "Event", namespace=namespace, fields=fields)
    logs: dict[tuple[str, bool], list[str]] = {}
    for status in container_statuses(pod):
        ended = last_termination(pod, status)
        if ended is not None and ended.get("reason") != "OOMKilled":
            container = str(status.get("name"))
            over = bool((status.get("state") or {}).get("terminated"))
            logs[container, True] = await _last_output(reader, namespace, name, container, over=over)
    return signature_of(pod, events=events, logs=logs)


def was_killed(pod: Json) -> bool:
    """Whether a container was killed: then an event says why, and it may have come later than the pod's status."""
    ends = [last_termination(pod, status) for status in container_statuses(pod)]
    return any(ended is not None and ended.get("exitCode") in _KILLED for ended in ends)


async def _last_output(reader: ClusterReader, namespace: str, pod: str, container: str, *, over: bool) -> list[str]:
    """The end of what the run wrote that ended last: the current run's where that is over, else the one before it."""
    for previous in (not over, over):
        query = LogQuery(container=container, previous=previous, tail_lines=_LINES, limit_bytes=_BYTES)
        try:
            return (await reader.logs(namespace, pod, query)).splitlines()
        except (NotFound, Invalid):
            continue
    return []
