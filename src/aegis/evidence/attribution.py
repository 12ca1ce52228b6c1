"""Whose an alert is: told by the ids of containers and by the namespace, compared as a whole, never by labels. Pure.

What a line of text says of another place is believed only where it names container and namespace, each once: part of it
is the words of whoever is watched. What it says of *this* place is believed at once, since a false alarm hides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from aegis.falco.alert import Alert
from aegis.model.refs import Json
from aegis.model.signature import container_statuses

ELSEWHERE, UNKNOWN = "elsewhere", "unknown"
"""Who sets an alert off where it is nobody that was asked about: something else in the cluster, nobody knows."""

SHORTEST_ID: Final = 12
"""Characters of a container id, at least, that Falco and others print of its 64."""

_CONTAINER, _NAMESPACE, _HOST = "container.id", "k8s.ns.name", "host"
_WATCHED: Final = frozenset({"", "syscall"})
"""Sources that tell what containers do; others read the API server's audit log or a cloud's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """Who is who.

    Attributes:
        namespaces: whose each namespace is.
        container: whose the container with this id is (or with one that begins so); None where it is not known.
        elsewhere: ids of containers that are known to be of other pods.
    """

    namespaces: Mapping[str, str]
    container: Callable[[str], str | None]
    elsewhere: Collection[str] = frozenset()

    def whose(self, alert: Alert) -> str:
        """The owner's name, or `elsewhere`, or `unknown`. A container id that is known says it; else the namespace does."""
        container, namespace = alert.text(_CONTAINER), alert.text(_NAMESPACE)
        if alert.source not in _WATCHED:
            return ELSEWHERE
        owner = self.container(container)
        if owner is not None:
            return owner
        if alert.ambiguous & {_CONTAINER, _NAMESPACE}:
            return UNKNOWN
        if namespace in self.namespaces:
            return self.namespaces[namespace]
        placed = bool(namespace) and (bool(container) or not alert.from_text)
        return ELSEWHERE if placed or container == _HOST or is_one_of(container, self.elsewhere) else UNKNOWN


def is_one_of(container_id: str, known: Iterable[str]) -> bool:
    """Whether an id, long enough to tell, is one of these or the begin of one."""
    return len(container_id) >= SHORTEST_ID and any(one.startswith(container_id) for one in known)


def containers_of(pod: Json) -> Iterator[tuple[str, str]]:
    """The id and the name of each run of a container that a pod's status still tells of."""
    for status in container_statuses(pod):
        name = str(status.get("name") or "")
        states = [*(status.get("state") or {}).values(), *(status.get("lastState") or {}).values()]
        for held in (status, *(state for state in states if state)):
            container_id = str(held.get("containerID") or "").rpartition("://")[2]
            if len(container_id) >= SHORTEST_ID:
                yield container_id, name
