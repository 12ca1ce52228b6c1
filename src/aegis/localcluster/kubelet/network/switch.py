"""The switch's decisions: which frame goes where, changed how. No sockets here: frames in, frames out.

A flow is judged when it begins (Service resolved, policies asked) and again after the tables changed. What policy
denies is dropped without a word, as a network plug-in does, so the client waits until it times out. A Service without
ready endpoints is refused at once, as kube-proxy does.
"""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass, field

from aegis.localcluster.kubelet.network import dns, packets
from aegis.localcluster.kubelet.network.packets import Rewrite, Tuple
from aegis.localcluster.kubelet.network.tables import ServicePort, Tables

DNS_PORT = -1
DNS_ADDRESS = "10.244.0.2"
DNS_SERVICE = "10.96.0.10"
FLOWS_MAX = 65_536

_PROTOCOLS = {packets.TCP: "TCP", packets.UDP: "UDP", packets.ICMP: "ICMP"}
_SERVICE_NETWORK = socket.inet_aton("10.96.0.0")[:2]
_HAIRPIN_PORTS = range(32_768, 61_000)
_IDLE_SECONDS = {packets.TCP: 86_400.0, packets.UDP: 60.0, packets.ICMP: 60.0}
_CLOSED_SECONDS = 30.0
_SWEEP_SECONDS = 10.0

Sent = list[tuple[int, bytes]]


@dataclass(slots=True, kw_only=True)
class _Flow:
    """One conversation, shared by its two directions."""

    judged: Tuple
    version: int
    seen: float
    closed: bool = False
    keys: list[Tuple] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    flow: _Flow
    destination: bytes
    rewrite: Rewrite | None


class Switch:
    """Carries frames between the pods' interfaces, which it knows as numbered ports."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311 - which endpoint serves is no secret
        self._tables, self._version = Tables(), 0
        self._ports: dict[bytes, int] = {packets.address(DNS_ADDRESS): DNS_PORT}
        self._owned: dict[int, frozenset[bytes]] = {DNS_PORT: frozenset(self._ports)}
        self._ways: dict[Tuple, _Way] = {}
        self._swept = 0.0

    def attach(self, port: int, addresses: list[str]) -> None:
        """Let an interface be reached at these addresses, and send from them only."""
        self._owned[port] = frozenset(map(packets.address, addresses))
        for address in self._owned[port]:
            self._ports[address] = port

    def detach(self, port: int) -> None:
        """Forget an interface."""
        for address in self._owned.pop(port, frozenset()):
            if self._ports.get(address) == port:
                del self._ports[address]

    def update(self, tables: Tables) -> None:
        """Go by other tables from now on, for flows that stand already too."""
        self._tables = tables
        self._version += 1

    def carry(self, port: int, frame: bytes, now: float) -> Sent:
        """What goes out, to which ports, because this frame came in.

        Args:
            port: where it came in.
            frame: the Ethernet frame.
            now: seconds of a clock that only goes forward.
        """
        self._sweep(now)
        key = packets.read_tuple(frame)
        if key is None or key.source not in self._owned.get(port, frozenset()):
            return []
        way = self._known(key, frame, now)
        if way is None:
            if not packets.opens(frame):
                return []
            found = self._open(key, now)
            if isinstance(found, int):
                return [] if found < 0 else [(port, packets.unreachable(frame, found))]
            way = found
        if packets.closes(frame):
            way.flow.closed = True
        out = frame if way.rewrite is None else way.rewrite.apply(frame)
        return self._deliver(way.destination, out, now)

    def _known(self, key: Tuple, frame: bytes, now: float) -> _Way | None:
        way = self._ways.get(key)
        if way is None:
            return None
        flow = way.flow
        reused = flow.closed and packets.opens(frame)
        if reused or (flow.version != self._version and not self._still_allowed(flow)):
            self._forget(flow)
            return None
        flow.seen = now
        return way

    def _still_allowed(self, flow: _Flow) -> bool:
        flow.version = self._version
        return self._allowed(flow.judged)

    def _open(self, key: Tuple, now: float) -> _Way | int:
        """A new flow; or the code of an ICMP refusal, negative for silence."""
        target = self._resolve(key)
        if isinstance(target, int):
            return target
        if not self._allowed(target):
            return -1
        if target.destination not in self._ports:
            return packets.HOST_UNREACHABLE
        if target.destination == key.source:
            target = self._hairpin(target)
        flow = _Flow(judged=target, version=self._version, seen=now)
        back = target.reversed()
        changed = target != key
        self._ways[key] = _Way(
            flow=flow, destination=target.destination, rewrite=Rewrite(key, target) if changed else None
        )
        self._ways[back] = _Way(
            flow=flow, destination=key.source, rewrite=Rewrite(back, key.reversed()) if changed else None
        )
        flow.keys = [key, back]
        return self._ways[key]

    def _resolve(self, key: Tuple) -> Tuple | int:
        destination = socket.inet_ntoa(key.destination)
        service = ServicePort(address=destination, port=key.destination_port, protocol=_PROTOCOLS.get(key.protocol, ""))
        endpoints = self._tables.services.get(service)
        if endpoints is None:
            return -1 if key.destination[:2] == _SERVICE_NETWORK else key
        if not endpoints:
            return packets.PORT_UNREACHABLE
        if service in self._tables.sticky:
            address, port = endpoints[int.from_bytes(key.source) % len(endpoints)]
        else:
            address, port = self._random.choice(endpoints)
        return Tuple(key.protocol, key.source, packets.address(address), key.source_port, port)

    def _allowed(self, flow: Tuple) -> bool:
        return self._tables.allows(
            socket.inet_ntoa(flow.source),
            socket.inet_ntoa(flow.destination),
            _PROTOCOLS.get(flow.protocol, ""),
            flow.destination_port,
        )

    def _hairpin(self, target: Tuple) -> Tuple:
        """A pod that reaches itself through a Service has to see another sender, or its kernel drops the packet."""
        node = packets.address(min(self._tables.nodes, default="10.244.0.1"))
        port = self._random.choice(_HAIRPIN_PORTS)
        return Tuple(target.protocol, node, target.destination, port, target.destination_port)

    def _deliver(self, destination: bytes, frame: bytes, now: float) -> Sent:
        port = self._ports.get(destination)
        if port is None:
            return []
        if port != DNS_PORT:
            return [(port, frame)]
        reply = dns.answer(packets.udp_payload(frame), self._tables.names, self._tables.aliases)
        if reply is None or frame[23] != packets.UDP:
            return []
        return self.carry(DNS_PORT, packets.udp_reply(frame, reply), now)

    def _forget(self, flow: _Flow) -> None:
        for key in flow.keys:
            self._ways.pop(key, None)

    def _sweep(self, now: float) -> None:
        if now - self._swept < _SWEEP_SECONDS and len(self._ways) < FLOWS_MAX:
            return
        self._swept = now
        for way in list(self._ways.values()):
            flow = way.flow
            idle = _CLOSED_SECONDS if flow.closed else _IDLE_SECONDS[flow.judged.protocol]
            if now - flow.seen > idle:
                self._forget(flow)
        if len(self._ways) >= FLOWS_MAX:
            for way in sorted(self._ways.values(), key=lambda way: way.flow.seen)[: FLOWS_MAX // 2]:
                self._forget(way.flow)
