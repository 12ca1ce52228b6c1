"""Frames: read, rewritten, answered."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from aegis.localcluster.kubelet.network import packets
from aegis.localcluster.kubelet.network.packets import TCP, UDP, Rewrite, Tuple

ETHERNET = bytes.fromhex("020000000001020000000001") + b"\x08\x00"
addresses = st.binary(min_size=4, max_size=4)
ports = st.integers(0, 65535)


def frame(flow: Tuple, payload: bytes = b"", flags: int = 0x02) -> bytes:
    """A frame with right checksums."""
    if flow.protocol == TCP:
        body = struct.pack("!HHIIBBHHH", flow.source_port, flow.destination_port, 1, 0, 0x50, flags, 64, 0, 0) + payload
        at = 16
    else:
        body = struct.pack("!HHHH", flow.source_port, flow.destination_port, 8 + len(payload), 0) + payload
        at = 6
    body = body[:at] + struct.pack("!H", transport_checksum(flow, body)) + body[at + 2 :]
    head = (
        struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, flow.protocol, 0) + flow.source + flow.destination
    )
    return ETHERNET + head[:10] + struct.pack("!H", packets.checksum(head)) + head[12:] + body


def transport_checksum(flow: Tuple, body: bytes) -> int:
    return packets.checksum(flow.source + flow.destination + struct.pack("!BBH", 0, flow.protocol, len(body)) + body)


def right(data: bytes, flow: Tuple) -> bool:
    """Whether all checksums of a frame hold (a sum over data with its checksum is zero)."""
    return packets.checksum(data[14:34]) == 0 and transport_checksum(flow, data[34:]) == 0


flows = st.builds(Tuple, st.sampled_from([TCP, UDP]), addresses, addresses, ports, ports)


@given(flows, flows, st.binary(max_size=60))
def test_a_rewritten_frame_has_the_new_flow_and_right_checksums(old: Tuple, new: Tuple, payload: bytes) -> None:
    new = Tuple(old.protocol, new.source, new.destination, new.source_port, new.destination_port)
    sent = frame(old, payload)
    assert right(sent, old)
    changed = Rewrite(old, new).apply(sent)
    assert packets.read_tuple(changed) == new
    assert changed[42 if old.protocol == UDP else 54 :] == payload
    assert right(changed, new)


@given(flows, flows)
def test_rewriting_back_gives_the_same_bytes(old: Tuple, new: Tuple) -> None:
    new = Tuple(old.protocol, new.source, new.destination, new.source_port, new.destination_port)
    sent = frame(old, b"x")
    assert packets.read_tuple(Rewrite(new, old).apply(Rewrite(old, new).apply(sent))) == old


@given(st.binary(max_size=120), st.booleans())
def test_no_bytes_at_all_are_a_surprise(noise: bytes, plausible: bool) -> None:
    data = ETHERNET + b"\x4f" + noise if plausible else noise
    found = packets.read_tuple(data)
    if found is not None:
        packets.opens(data)
        packets.closes(data)
        packets.unreachable(data, packets.PORT_UNREACHABLE)
        Rewrite(found, found).apply(data)


def test_openings_and_ends() -> None:
    flow = Tuple(TCP, b"\n\0\0\1", b"\n\0\0\2", 1, 2)
    assert packets.opens(frame(flow, flags=0x02))
    assert not packets.opens(frame(flow, flags=0x12))
    assert packets.closes(frame(flow, flags=0x11))
    assert packets.closes(frame(flow, flags=0x04))
    assert not packets.closes(frame(flow, flags=0x10))


def test_a_refusal_quotes_what_it_refuses() -> None:
    flow = Tuple(TCP, b"\n\0\0\1", b"\n\0\0\2", 1, 2)
    sent = frame(flow)
    refusal = packets.unreachable(sent, packets.PORT_UNREACHABLE)
    assert (refusal[26:30], refusal[30:34]) == (flow.destination, flow.source)
    assert (refusal[23], refusal[34], refusal[35]) == (packets.ICMP, 3, 3)
    assert refusal[42:70] == sent[14:42]
    assert packets.checksum(refusal[34:]) == 0
    assert packets.checksum(refusal[14:34]) == 0


def test_a_reply_goes_back_where_the_query_came_from() -> None:
    query = frame(Tuple(UDP, b"\n\0\0\1", b"\n\0\0\2", 5000, 53), b"who")
    reply = packets.udp_reply(query, b"me")
    assert packets.read_tuple(reply) == Tuple(UDP, b"\n\0\0\2", b"\n\0\0\1", 53, 5000)
    assert packets.udp_payload(reply) == b"me"
