"""What the pods of an arm complain of in their logs, masked so that two arms can be compared. Pure but for the reading."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from aegis.errors import Invalid, NotFound
from aegis.model.refs import Json
from aegis.model.signature import container_statuses
from aegis.model.symptom import mask
from aegis.ports import ClusterReader, LogQuery
from aegis.shadow.comparison import Lines

_TAIL, _BYTES = 500, 1 << 18
_MOST = 200
"""Different complaints kept of a pod."""

_COMPLAINS = re.compile(
    r"\b(?:error|fatal|critical|panic|traceback|unhandled|uncaught|segmentation fault)\b|\b[A-Z]\w*(?:Error|Exception)\b",
    re.IGNORECASE,
)
_DENIES = re.compile(r"\b(?:no|0|without) errors?\b|\berrors?\s*[=:]\s*(?:0|none|null|false)\b", re.IGNORECASE)


def complaints(lines: Iterable[str], *, pod: str, namespace: str) -> set[str]:
    """The signatures of the lines that complain."""
    found: set[str] = set()
    for line in lines:
        text = line[:512]
        if len(found) < _MOST and _COMPLAINS.search(text) and not _DENIES.search(text):
            found.add(mask(text, name=pod, namespace=namespace))
    return found


async def lines_of(reader: ClusterReader, pods: Sequence[Json]) -> Lines:
    """What these pods complain of, in the runs that are there and the ones before."""
    seen: Counter[str] = Counter()
    for pod in pods:
        seen.update(await _of_pod(reader, pod))
    return Lines(pods=len(pods), seen=dict(seen))


async def _of_pod(reader: ClusterReader, pod: Json) -> set[str]:
    metadata = pod.get("metadata") or {}
    namespace, name = str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
    found: set[str] = set()
    for status in container_statuses(pod):
        for previous in (False, True) if status.get("restartCount") else (False,):
            query = LogQuery(container=str(status.get("name")), previous=previous, tail_lines=_TAIL, limit_bytes=_BYTES)
            try:
                text = await reader.logs(namespace, name, query)
            except (NotFound, Invalid):
                continue
            found |= complaints(text.splitlines(), pod=name, namespace=namespace)
    return found
