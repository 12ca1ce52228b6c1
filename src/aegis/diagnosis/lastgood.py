"""The last good revision of a workload, out of the objects that tell its history, for who tries it out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from aegis.diagnosis.graph import key_of
from aegis.diagnosis.history import good_revisions
from aegis.diagnosis.ties import build
from aegis.model.evidence import Evidence, Tier
from aegis.model.refs import Json, ObjectRef


def last_good(workload: Json, others: Sequence[Json]) -> tuple[Json, str] | None:
    """The pod template of the newest revision that was good, and in words which that is; None where none is known.

    Args:
        workload: as it is now.
        others: its ReplicaSets or ControllerRevisions, and its pods; what belongs to others does no harm.
    """
    read_at = datetime.now(UTC)
    evidence = [
        Evidence(
            id=f"h{number}",
            source="object",
            tier=Tier.STATUS,
            subject=ObjectRef.of(obj),
            observed_at=read_at,
            summary="",
            payload=obj,
        )
        for number, obj in enumerate((workload, *others))
    ]
    graph = build(evidence)
    found = good_revisions(graph, graph.node(key_of(ObjectRef.of(workload))))
    return (found[0].template, found[0].source) if found else None
