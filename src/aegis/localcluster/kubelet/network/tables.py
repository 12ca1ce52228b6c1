"""What the switch goes by: endpoints of Services, names, and for each pod whom it may speak to.

The kubelet works these tables out of the API's objects; they cross to the switch's process as JSON.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """An `ipBlock`: a network without some parts of it."""

    cidr: str
    excepted: tuple[str, ...] = ()

    def covers(self, address: str) -> bool:
        """Whether an address lies in it."""
        ip = ipaddress.ip_address(address)
        return ip in ipaddress.ip_network(self.cidr, strict=False) and not any(
            ip in ipaddress.ip_network(cidr, strict=False) for cidr in self.excepted
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRange:
    """Ports of one protocol, both ends included."""

    protocol: str
    first: int = 0
    last: int = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that a policy allows.

    Attributes:
        addresses: pods on the other side; None for anyone at all.
        blocks: networks on the other side.
        ports: on the side that is spoken to; None for all.
    """

    addresses: frozenset[str] | None = None
    blocks: tuple[Block, ...] = ()
    ports: tuple[PortRange, ...] | None = None

    def allows(self, peer: str, protocol: str, port: int) -> bool:
        """Whether it allows this peer at this port."""
        if self.ports is not None and not any(
            wanted.protocol == protocol and wanted.first <= port <= wanted.last for wanted in self.ports
        ):
            return False
        if self.addresses is None:
            return True
        return peer in self.addresses or any(block.covers(peer) for block in self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """What the policies that select a pod leave it; None in a direction means that none isolates it there."""

    ingress: tuple[Rule, ...] | None = None
    egress: tuple[Rule, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """Where a Service is addressed."""

    address: str
    port: int
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Everything the switch decides by.

    Attributes:
        nodes: addresses of the machine itself, which no policy keeps out.
        pods: addresses whose policies are known; no other may speak, so that a new pod is never free for a moment.
        services: for each address and port of a Service its ready endpoints, as address and port.
        sticky: those that keep a client with one endpoint.
        isolation: by pod address; a pod that no policy selects is not there.
        names: the A records of the cluster's domain, without the final dot.
        aliases: its CNAME records.
    """

    nodes: frozenset[str] = frozenset()
    pods: frozenset[str] = frozenset()
    services: Mapping[ServicePort, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    sticky: frozenset[ServicePort] = frozenset()
    isolation: Mapping[str, Isolation] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    def allows(self, source: str, destination: str, protocol: str, port: int) -> bool:
        """Whether a new flow from pod to pod (after the Service was resolved) is allowed on both sides."""
        if source in self.nodes or source == destination:
            return True
        if source not in self.pods:
            return False
        out = self.isolation.get(source, _FREE).egress
        into = self.isolation.get(destination, _FREE).ingress
        return (out is None or any(rule.allows(destination, protocol, port) for rule in out)) and (
            into is None or any(rule.allows(source, protocol, port) for rule in into)
        )

    def to_message(self) -> dict[str, Any]:
        """A JSON-compatible form."""
        return {
            "nodes": sorted(self.nodes),
            "pods": sorted(self.pods),
            "services": [
                [asdict(port), list(endpoints), port in self.sticky] for port, endpoints in self.services.items()
            ],
            "isolation": {
                pod: {side: _rules_out(getattr(isolation, side)) for side in ("ingress", "egress")}
                for pod, isolation in self.isolation.items()
            },
            "names": {name: list(found) for name, found in self.names.items()},
            "aliases": dict(self.aliases),
        }

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """The inverse of `to_message`."""
        services = [(ServicePort(**port), endpoints, sticky) for port, endpoints, sticky in message["services"]]
        return cls(
            nodes=frozenset(message["nodes"]),
            pods=frozenset(message["pods"]),
            services={port: tuple((ip, number) for ip, number in endpoints) for port, endpoints, _ in services},
            sticky=frozenset(port for port, _, sticky in services if sticky),
            isolation={
                pod: Isolation(**{side: _rules_in(rules) for side, rules in sides.items()})
                for pod, sides in message["isolation"].items()
            },
            names={name: tuple(found) for name, found in message["names"].items()},
            aliases=message["aliases"],
        )


_FREE = Isolation()


def _rules_out(rules: tuple[Rule, ...] | None) -> list[dict[str, Any]] | None:
    if rules is None:
        return None
    return [
        {
            "addresses": None if rule.addresses is None else sorted(rule.addresses),
            "blocks": [[block.cidr, list(block.excepted)] for block in rule.blocks],
            "ports": None if rule.ports is None else [asdict(ports) for ports in rule.ports],
        }
        for rule in rules
    ]


def _rules_in(rules: list[dict[str, Any]] | None) -> tuple[Rule, ...] | None:
    if rules is None:
        return None
    return tuple(
        Rule(
            addresses=None if rule["addresses"] is None else frozenset(rule["addresses"]),
            blocks=tuple(Block(cidr=cidr, excepted=tuple(excepted)) for cidr, excepted in rule["blocks"]),
            ports=None if rule["ports"] is None else tuple(PortRange(**ports) for ports in rule["ports"]),
        )
        for rule in rules
    )
