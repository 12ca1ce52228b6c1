"""The switch's tables."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from aegis.localcluster.kubelet.network.tables import Block, Isolation, PortRange, Rule, ServicePort, Tables

ports = st.builds(PortRange, protocol=st.sampled_from(["TCP", "UDP"]), first=st.integers(1, 9), last=st.integers(9, 99))
address = st.sampled_from(["10.244.1.1", "10.244.1.2", "10.96.0.1"])
rules = st.builds(
    Rule,
    addresses=st.none() | st.frozensets(address),
    blocks=st.lists(st.builds(Block, cidr=st.just("10.0.0.0/8"), excepted=st.just(("10.1.0.0/16",)))).map(tuple),
    ports=st.none() | st.lists(ports).map(tuple),
)
sides = st.none() | st.lists(rules, max_size=3).map(tuple)
service = st.builds(ServicePort, address=address, port=st.integers(1, 9), protocol=st.just("TCP"))
whole = st.builds(
    Tables,
    nodes=st.frozensets(address),
    pods=st.frozensets(address),
    services=st.dictionaries(service, st.lists(st.tuples(address, st.integers(1, 9))).map(tuple)),
    isolation=st.dictionaries(address, st.builds(Isolation, ingress=sides, egress=sides)),
    names=st.dictionaries(st.sampled_from(["a", "b"]), st.lists(address).map(tuple)),
    aliases=st.dictionaries(st.just("c"), st.just("d")),
)


@given(whole)
def test_tables_cross_the_wire_whole(tables: Tables) -> None:
    assert Tables.from_message(json.loads(json.dumps(tables.to_message()))) == tables


def test_blocks_and_their_exceptions() -> None:
    block = Block(cidr="10.0.0.0/8", excepted=("10.1.0.0/16",))
    assert block.covers("10.2.3.4")
    assert not block.covers("10.1.3.4")
    assert not block.covers("192.0.2.1")


def test_a_rule_allows_what_it_names() -> None:
    rule = Rule(addresses=frozenset({"10.244.1.1"}), ports=(PortRange(protocol="TCP", first=80, last=90),))
    assert rule.allows("10.244.1.1", "TCP", 85)
    assert not rule.allows("10.244.1.1", "TCP", 91)
    assert not rule.allows("10.244.1.1", "UDP", 85)
    assert not rule.allows("10.244.1.2", "TCP", 85)
    assert Rule().allows("192.0.2.1", "UDP", 1)
