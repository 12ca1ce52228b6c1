"""What every pod worker shares: the API, the sandboxes, the images, the node's addresses."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from aegis.localcluster.api import ClusterApi, Object, Pace
from aegis.localcluster.kubelet.events import Recorder
from aegis.localcluster.kubelet.images.registry import Registry
from aegis.localcluster.kubelet.logs import LogStore
from aegis.localcluster.kubelet.pods.volumes import TokenMaker
from aegis.localcluster.kubelet.pods.watching import Watch
from aegis.localcluster.kubelet.sandbox.client import Sandbox


class Sandboxes(Protocol):
    """Who makes sandboxes."""

    @property
    def map_users(self) -> bool:
        """Whether several users exist in a sandbox, so that groups can own files."""
        ...

    async def sandbox(self, hostname: str, addresses: Sequence[str]) -> Sandbox:
        """Make a sandbox.

        Raises:
            SandboxError: refused.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node as its pods see it.

    Attributes:
        name: of the Node object.
        address: its internal IP.
        pulled: the images that are on it, as full names.
    """

    name: str
    address: str
    pulled: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The surroundings of a pod worker.

    Attributes:
        api: the API server.
        sandboxes: who makes sandboxes.
        registry: where images come from.
        events: where events go.
        logs: where output goes.
        pace: the cluster's time scale.
        node: the pod's node.
        prefix: what appears as /usr/local in containers.
        dial: how the node reaches an address of the pods' network.
        address: takes a free pod address of the node; to be given back by `release`.
        release: gives it back.
        connect: has the network know the pods' addresses and policies as they are now.
        services: every Service there is now.
        volume: the folder of a PersistentVolume, made if it is not there.
        token: makes service account tokens.
        clock: seconds since the epoch.
        watch: the runtime watch; None where pods are not watched.
    """

    api: ClusterApi
    sandboxes: Sandboxes
    registry: Registry
    events: Recorder
    logs: LogStore
    pace: Pace
    node: Node
    prefix: str | None
    dial: Callable[[str, int], Awaitable[socket.socket]]
    address: Callable[[], str]
    release: Callable[[str], None]
    connect: Callable[[], Awaitable[None]]
    services: Callable[[], Iterable[Object]]
    volume: Callable[[str], Path]
    token: TokenMaker
    clock: Callable[[], float]
    watch: Watch | None = None
