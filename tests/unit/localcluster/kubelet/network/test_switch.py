"""The switch: which frame goes where."""

from __future__ import annotations

import socket
import struct
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.localcluster.kubelet.network import packets
from aegis.localcluster.kubelet.network import switch as switching
from aegis.localcluster.kubelet.network.packets import TCP, UDP, Tuple
from aegis.localcluster.kubelet.network.switch import Switch
from aegis.localcluster.kubelet.network.tables import Isolation, PortRange, Rule, ServicePort, Tables

_spec = spec_from_file_location("_packets", Path(__file__).with_name("test_packets.py"))
assert _spec is not None
assert _spec.loader is not None
_made: Any = module_from_spec(_spec)
_spec.loader.exec_module(_made)
frame = _made.frame

ONE, TWO, NODE = "10.244.1.1", "10.244.1.2", "172.18.0.2"
WEB = ServicePort(address="10.96.0.5", port=80, protocol="TCP")
NONE = ServicePort(address="10.96.0.6", port=80, protocol="TCP")
DNS = ServicePort(address="10.96.0.10", port=53, protocol="UDP")
SYN, SYN_ACK, ACK, RST = 0x02, 0x12, 0x10, 0x04


def flow(source: str, destination: str, port: int = 8080, *, source_port: int = 40000, protocol: int = TCP) -> Tuple:
    return Tuple(protocol, socket.inet_aton(source), socket.inet_aton(destination), source_port, port)


def tables(**more: Any) -> Tables:
    services = {WEB: ((TWO, 8080),), NONE: (), DNS: (("10.244.0.2", 53),)}
    given_ = {"nodes": frozenset({NODE}), "pods": frozenset({ONE, TWO}), "services": services, **more}
    return Tables(**given_)


def switch(**more: Any) -> Switch:
    made = Switch(seed=1)
    made.attach(1, [ONE])
    made.attach(2, [TWO])
    made.attach(9, [NODE])
    made.update(tables(**more))
    return made


def carried(made: Switch, port: int, asked: Tuple, flags: int = SYN, now: float = 0) -> list[tuple[int, Tuple | None]]:
    return [(out, packets.read_tuple(sent)) for out, sent in made.carry(port, frame(asked, flags=flags), now)]


def code_of(sent: list[tuple[int, bytes]]) -> tuple[int, int]:
    """The port and the ICMP code of a refusal."""
    ((port, data),) = sent
    assert (data[23], data[34]) == (packets.ICMP, 3)
    return port, data[35]


def test_frames_between_pods_pass_as_they_are() -> None:
    made, asked = switch(), flow(ONE, TWO)
    sent = frame(asked)
    assert made.carry(1, sent, 0) == [(2, sent)]
    back = frame(asked.reversed(), flags=SYN_ACK)
    assert made.carry(2, back, 0) == [(1, back)]


def test_a_service_leads_to_its_endpoint_and_the_answer_comes_from_the_service() -> None:
    made, asked = switch(), flow(ONE, WEB.address, 80)
    assert carried(made, 1, asked) == [(2, flow(ONE, TWO))]
    assert carried(made, 2, flow(ONE, TWO).reversed(), SYN_ACK) == [(1, asked.reversed())]
    assert carried(made, 1, asked, ACK) == [(2, flow(ONE, TWO))]


def test_refusals() -> None:
    made = switch()
    assert code_of(made.carry(1, frame(flow(ONE, NONE.address, 80)), 0)) == (1, packets.PORT_UNREACHABLE)
    assert code_of(made.carry(1, frame(flow(ONE, "192.0.2.1")), 0)) == (1, packets.HOST_UNREACHABLE)
    assert carried(made, 1, flow(ONE, WEB.address, 81)) == []


def test_a_pod_reaches_itself_through_a_service_as_another_sender() -> None:
    made = switch(services={WEB: ((ONE, 8080),)})
    asked = flow(ONE, WEB.address, 80)
    ((port, arrived),) = carried(made, 1, asked)
    assert arrived is not None
    assert (port, arrived.source, arrived.destination) == (1, socket.inet_aton(NODE), socket.inet_aton(ONE))
    assert carried(made, 1, arrived.reversed(), SYN_ACK) == [(1, asked.reversed())]


def test_nobody_speaks_with_another_address_or_before_it_is_known() -> None:
    made = switch()
    assert carried(made, 2, flow(ONE, TWO)) == []
    made.update(tables(pods=frozenset({TWO})))
    assert carried(made, 1, flow(ONE, TWO)) == []


def test_a_packet_from_the_middle_of_nothing_is_dropped() -> None:
    assert carried(switch(), 1, flow(ONE, TWO), ACK) == []


DENIED = {TWO: Isolation(ingress=())}


def test_what_policy_denies_is_dropped_without_a_word_but_for_the_node() -> None:
    made = switch(isolation=DENIED)
    assert carried(made, 1, flow(ONE, TWO)) == []
    assert carried(made, 1, flow(ONE, WEB.address, 80)) == []
    assert carried(made, 9, flow(NODE, TWO)) == [(2, flow(NODE, TWO))]


def test_answers_of_an_isolated_pod_pass() -> None:
    made = switch(isolation={ONE: Isolation(ingress=())})
    carried(made, 1, flow(ONE, TWO))
    assert carried(made, 2, flow(ONE, TWO).reversed(), SYN_ACK) == [(1, flow(ONE, TWO).reversed())]


def test_a_new_policy_cuts_flows_that_stand_and_a_lifted_one_lets_new_ones_in() -> None:
    made, asked = switch(), flow(ONE, TWO)
    carried(made, 1, asked)
    made.update(tables(isolation=DENIED))
    assert carried(made, 1, asked, ACK) == []
    assert carried(made, 2, asked.reversed(), ACK) == []
    made.update(tables())
    assert carried(made, 1, asked, SYN) == [(2, asked)]


def test_policies_see_the_port_behind_the_service() -> None:
    rule = Rule(addresses=frozenset({ONE}), ports=(PortRange(protocol="TCP", first=8080, last=8080),))
    made = switch(isolation={TWO: Isolation(ingress=(rule,))})
    assert carried(made, 1, flow(ONE, WEB.address, 80)) == [(2, flow(ONE, TWO))]
    assert carried(made, 1, flow(ONE, TWO, 9090)) == []


def test_names_are_answered_where_egress_to_the_dns_is_allowed() -> None:
    names = {"web.default.svc.cluster.local": ("10.96.0.5",)}
    labels = b"".join(bytes([len(part)]) + part.encode() for part in ["web", "default", "svc", "cluster", "local"])
    question = struct.pack("!HHHHHH", 5, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
    asked = flow(ONE, DNS.address, 53, protocol=UDP)
    ((port, reply),) = switch(names=names).carry(1, frame(asked, question), 0)
    assert (port, packets.read_tuple(reply)) == (1, asked.reversed())
    assert packets.udp_payload(reply).endswith(bytes([10, 96, 0, 5]))
    assert switch(names=names, isolation={ONE: Isolation(egress=())}).carry(1, frame(asked, question), 0) == []


def test_a_detached_pod_is_unreachable_and_its_address_can_be_another_s() -> None:
    made = switch()
    made.detach(2)
    assert code_of(made.carry(1, frame(flow(ONE, TWO)), 0)) == (1, packets.HOST_UNREACHABLE)
    made.attach(3, [TWO])
    assert carried(made, 1, flow(ONE, TWO)) == [(3, flow(ONE, TWO))]


def test_a_closed_connection_makes_room_for_one_to_another_endpoint() -> None:
    made, asked = switch(), flow(ONE, WEB.address, 80)
    carried(made, 1, asked)
    carried(made, 1, asked, RST)
    made.update(tables(services={WEB: (("10.244.1.3", 8080),)}, pods=frozenset({ONE, TWO, "10.244.1.3"})))
    made.attach(3, ["10.244.1.3"])
    assert carried(made, 1, asked) == [(3, flow(ONE, "10.244.1.3"))]


def test_sticky_services_keep_a_client_with_one_endpoint() -> None:
    both = {WEB: ((ONE, 8080), (TWO, 8080), ("10.244.1.3", 8080))}
    made = switch(services=both, sticky=frozenset({WEB}), pods=frozenset({ONE, TWO, "10.244.1.3"}))
    made.attach(3, ["10.244.1.3"])
    ends = {carried(made, 1, flow(ONE, WEB.address, 80, source_port=port))[0][0] for port in range(2000, 2030)}
    assert len(ends) == 1


def test_flows_do_not_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switching, "FLOWS_MAX", 1000)
    made = switch()
    for number in range(1500):
        made.carry(1, frame(flow(ONE, TWO, number % 60000, source_port=1024 + number % 64000)), 0)
    assert len(made._ways) <= 1002
    made.carry(1, frame(flow(ONE, TWO)), 1e6)
    assert len(made._ways) == 2


@given(st.lists(st.tuples(st.sampled_from([1, 2, 9]), st.binary(max_size=90)), max_size=5))
def test_no_frame_stops_the_switch(frames: list[tuple[int, bytes]]) -> None:
    made = switch()
    for port, data in frames:
        made.carry(port, _made.ETHERNET + b"\x45" + data, 0)
        made.carry(port, data, 0)
