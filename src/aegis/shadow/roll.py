"""Who ran in an arm: every pod by its uid, with every container id that it ever had. Pure.

Alerts are told apart by these ids, never by labels: whoever writes a manifest writes its labels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from aegis.evidence.attribution import SHORTEST_ID, containers_of
from aegis.model.refs import Json


@dataclass(slots=True, kw_only=True)
class Resident:
    """One pod that ran in an arm.

    Attributes:
        name: of the pod.
        node: where it ran; empty while it is not placed.
        containers: the name of the container for each id of a run of it.
    """

    name: str
    node: str = ""
    containers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Roll:
    """Everybody who was seen in an arm.

    Attributes:
        opened: since when.
        residents: the pods by uid.
        own: the uids of the pods that AEGIS itself started there.
    """

    opened: datetime = field(default_factory=lambda: datetime.now(UTC))
    residents: dict[str, Resident] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)

    def see(self, pod: Json) -> None:
        """Take in a pod as it is now."""
        metadata = pod.get("metadata") or {}
        resident = self.residents.setdefault(
            str(metadata.get("uid") or ""), Resident(name=str(metadata.get("name") or ""))
        )
        resident.node = str((pod.get("spec") or {}).get("nodeName") or resident.node)
        resident.containers |= dict(containers_of(pod))

    def nodes(self) -> set[str]:
        """Where pods ran that are not our own."""
        return {one.node for uid, one in self.residents.items() if uid not in self.own and one.node}

    def find(self, container_id: str) -> tuple[str, str] | None:
        """The uid of the pod and the name of the container with this id (or with one that begins so)."""
        if len(container_id) < SHORTEST_ID:
            return None
        for uid, resident in self.residents.items():
            for known, name in resident.containers.items():
                if known.startswith(container_id) or container_id.startswith(known):
                    return uid, name
        return None
