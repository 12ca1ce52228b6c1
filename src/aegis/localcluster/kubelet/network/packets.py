"""Ethernet frames with IPv4 inside: reading what the switch needs, changing addresses, making refusals and replies.

Sources: RFC 791 (IPv4), RFC 792 (ICMP), RFC 768 (UDP), RFC 9293 (TCP), RFC 1624 (incremental checksums).
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

TCP, UDP, ICMP = 6, 17, 1
NET_UNREACHABLE, HOST_UNREACHABLE, PORT_UNREACHABLE = 0, 1, 3

_ETHERNET = 14
_SOURCE, _DESTINATION, _ADDRESSES_END = _ETHERNET + 12, _ETHERNET + 16, _ETHERNET + 20
_VERSION_AND_LENGTH = (0x45, 0x4F)
_LEAST = {TCP: 20, UDP: 8, ICMP: 8}
_FRAGMENT_BITS = 0x3FFF
_ICMP_ECHO = (0, 8)
_TCP_CHECKSUM, _UDP_CHECKSUM = 16, 6
_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10
_TTL = 64


@dataclass(frozen=True, slots=True)
class Tuple:
    """What identifies a flow in one direction. Addresses are 4 bytes; an ICMP echo has its identifier as both ports."""

    protocol: int
    source: bytes
    destination: bytes
    source_port: int
    destination_port: int

    def reversed(self) -> Tuple:
        """The same flow as the other side sends it."""
        return Tuple(self.protocol, self.destination, self.source, self.destination_port, self.source_port)


def read_tuple(frame: bytes) -> Tuple | None:
    """The flow that a frame belongs to; None for what the switch does not carry (fragments, other protocols)."""
    if len(frame) < _ADDRESSES_END or not _VERSION_AND_LENGTH[0] <= frame[_ETHERNET] <= _VERSION_AND_LENGTH[1]:
        return None
    start, protocol = _payload(frame), frame[_ETHERNET + 9]
    (fragment,) = struct.unpack_from("!H", frame, _ETHERNET + 6)
    if len(frame) < start + _LEAST.get(protocol, 0) or fragment & _FRAGMENT_BITS:
        return None
    source, destination = frame[_SOURCE:_DESTINATION], frame[_DESTINATION:_ADDRESSES_END]
    if protocol in {TCP, UDP}:
        ports = struct.unpack_from("!HH", frame, start)
        return Tuple(protocol, source, destination, *ports)
    if protocol == ICMP and frame[start] in _ICMP_ECHO:
        (identifier,) = struct.unpack_from("!H", frame, start + 4)
        return Tuple(protocol, source, destination, identifier, identifier)
    return None


def opens(frame: bytes) -> bool:
    """Whether this packet may begin a flow: a TCP SYN, or anything that is not TCP."""
    return frame[_ETHERNET + 9] != TCP or frame[_payload(frame) + 13] & (_SYN | _ACK) == _SYN


def closes(frame: bytes) -> bool:
    """Whether this packet ends its TCP connection, in its direction at least."""
    return frame[_ETHERNET + 9] == TCP and bool(frame[_payload(frame) + 13] & (_FIN | _RST))


class Rewrite:
    """A change of addresses and ports, with the checksums' differences worked out once."""

    __slots__ = ("_addresses", "_header_delta", "_ports", "_transport_delta")

    def __init__(self, old: Tuple, new: Tuple) -> None:
        self._addresses = new.source + new.destination
        self._ports = struct.pack("!HH", new.source_port, new.destination_port)
        old_ports = struct.pack("!HH", old.source_port, old.destination_port)
        self._header_delta = _delta(old.source + old.destination, self._addresses)
        self._transport_delta = self._header_delta + _delta(old_ports, self._ports)

    def apply(self, frame: bytes) -> bytes:
        """The frame with other addresses and ports."""
        changed = bytearray(frame)
        start = _payload(frame)
        changed[_SOURCE:_ADDRESSES_END] = self._addresses
        changed[start : start + 4] = self._ports
        _adjust(changed, _ETHERNET + 10, self._header_delta)
        if frame[_ETHERNET + 9] == TCP:
            _adjust(changed, start + _TCP_CHECKSUM, self._transport_delta)
        elif changed[start + _UDP_CHECKSUM : start + _UDP_CHECKSUM + 2] != b"\0\0":
            _adjust(changed, start + _UDP_CHECKSUM, self._transport_delta)
        return bytes(changed)


def unreachable(frame: bytes, code: int) -> bytes:
    """The ICMP answer to a frame that says that its destination cannot be reached, as if the destination sent it."""
    quoted = frame[_ETHERNET : _payload(frame) + 8]
    body = struct.pack("!BBHI", 3, code, 0, 0) + quoted
    body = struct.pack("!BBHI", 3, code, checksum(body), 0) + quoted
    return _packet(frame, ICMP, body)


def udp_payload(frame: bytes) -> bytes:
    """What a UDP frame carries."""
    return frame[_payload(frame) + 8 :]


def udp_reply(frame: bytes, payload: bytes) -> bytes:
    """A UDP frame back to where another came from. IPv4 allows leaving the UDP checksum out."""
    source_port, destination_port = struct.unpack_from("!HH", frame, _payload(frame))
    return _packet(frame, UDP, struct.pack("!HHHH", destination_port, source_port, 8 + len(payload), 0) + payload)


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    return ~_fold(_sum(data)) & 0xFFFF


def address(text: str) -> bytes:
    """The 4 bytes of a dotted IPv4 address.

    Raises:
        OSError: it is none.
    """
    return socket.inet_aton(text)


def _payload(frame: bytes) -> int:
    return _ETHERNET + (frame[_ETHERNET] & 0xF) * 4


def _packet(answered: bytes, protocol: int, body: bytes) -> bytes:
    source, destination = answered[_DESTINATION:_ADDRESSES_END], answered[_SOURCE:_DESTINATION]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, _TTL, protocol, 0) + source + destination
    header = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return answered[:_ETHERNET] + header + body


def _sum(data: bytes) -> int:
    padded = data + b"\0" if len(data) % 2 else data
    words: tuple[int, ...] = struct.unpack(f"!{len(padded) // 2}H", padded)
    return sum(words)


def _fold(total: int) -> int:
    while total > 0xFFFF:  # noqa: PLR2004 - sixteen bits
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _delta(old: bytes, new: bytes) -> int:
    inverted = bytes(~byte & 0xFF for byte in old)
    return _sum(inverted) + _sum(new)


def _adjust(frame: bytearray, at: int, delta: int) -> None:
    old: int = struct.unpack_from("!H", frame, at)[0]
    struct.pack_into("!H", frame, at, ~_fold((~old & 0xFFFF) + delta) & 0xFFFF)
