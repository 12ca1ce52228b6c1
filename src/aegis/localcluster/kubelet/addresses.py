"""Which addresses nodes and pods have: 172.18.0.0/24 for nodes, a /24 of 10.244.0.0/16 for the pods of each."""

from __future__ import annotations

from collections import deque
from ipaddress import IPv4Network

_HOSTS = range(2, 255)


def node_address(number: int) -> str:
    """The internal IP of the node with this number, counted from 0."""
    return f"172.18.0.{number + 2}"


def pod_network(number: int, *, plain: bool = False) -> str:
    """The network of a node's pods (10.244.0.0/24 is the cluster's own); plain processes have loopback addresses."""
    return f"{'127' if plain else '10'}.244.{number + 1}.0/24"


class AddressPool:
    """The pod addresses of one node; the one given back last is taken last."""

    def __init__(self, network: str) -> None:
        base = IPv4Network(network).network_address
        self._free = deque(str(base + host) for host in _HOSTS)

    def take(self) -> str:
        """A free address.

        Raises:
            IndexError: there is none.
        """
        return self._free.popleft()

    def give_back(self, address: str) -> None:
        """Let an address be taken again."""
        self._free.append(address)
