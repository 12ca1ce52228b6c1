"""What a local cluster is asked to be, and what a running one says of itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

from aegis.kube.quantity import parse_quantity

Isolation = Literal["namespaces", "processes"]
"""How pods are kept apart: in kernel namespaces of their own, or (where those are refused) as plain processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """A local cluster to be started.

    Attributes:
        state: the folder that is the cluster's own: certificates, kubeconfig, log, pods' files. Made with mode 0700.
        nodes: how many nodes the scheduler sees; every pod runs on this machine.
        cpu: allocatable CPU of each node, as a Kubernetes quantity.
        memory: allocatable memory of each node, as a Kubernetes quantity.
        pods: allocatable pods of each node.
        time_scale: how many times faster than a real cluster delays, back-offs and windows pass.
        images: folders with further images of the local registry.
        port: the API server's port on 127.0.0.1; 0 takes a free one.
        isolation: how pods are kept apart; None takes the strongest that this machine allows.
        falco: whether pods are watched at run time, and a `falco` DaemonSet writes what they do into its logs.
    """

    state: Path
    nodes: int = 2
    cpu: str = "4"
    memory: str = "8Gi"
    pods: int = 110
    time_scale: float = 1.0
    images: tuple[Path, ...] = ()
    port: int = 0
    isolation: Isolation | None = None
    falco: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.nodes <= 50:  # noqa: PLR2004 - more rows than anyone reads, and no more capacity
            raise ValueError(f"a local cluster has 1 to 50 nodes, not {self.nodes}")
        if not 0.1 <= self.time_scale <= 1000:  # noqa: PLR2004 - beyond it, one second of clock resolution is an hour
            raise ValueError(f"the time scale goes from 0.1 to 1000, not {self.time_scale:g}")
        if not 0 <= self.port <= 65535:  # noqa: PLR2004 - the ports of TCP
            raise ValueError(f"{self.port} is no port")
        for quantity in (self.cpu, self.memory):
            if parse_quantity(quantity) <= 0:
                raise ValueError(f"a node cannot offer {quantity}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterInfo:
    """A running local cluster.

    Attributes:
        pid: the process that holds it.
        url: the API server's address.
        kubeconfig: the administrator's kubeconfig (mode 0600).
        version: the Kubernetes version it says it is.
        nodes: how many nodes it has.
        time_scale: see `ClusterOptions`.
        isolation: how pods are kept apart.
        not_enforced: what this mode of isolation does not enforce, in words for a person.
        started_at: when it became ready, aware UTC.
        falco: whether falco pods tell what the other pods do.
    """

    pid: int
    url: str
    kubeconfig: Path
    version: str
    nodes: int
    time_scale: float
    isolation: Isolation
    not_enforced: tuple[str, ...]
    started_at: datetime
    falco: bool = False

    def to_json(self) -> dict[str, Any]:
        """A JSON-compatible form."""
        return {
            **asdict(self),
            "kubeconfig": str(self.kubeconfig),
            "not_enforced": list(self.not_enforced),
            "started_at": self.started_at.isoformat(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of `to_json`.

        Raises:
            KeyError: a field is missing.
            TypeError: there is a field too many.
            ValueError: a field is not what it should be.
        """
        return cls(**{
            **data,
            "kubeconfig": Path(data["kubeconfig"]),
            "not_enforced": tuple(data["not_enforced"]),
            "started_at": datetime.fromisoformat(data["started_at"]),
        })
