"""Addresses of nodes and pods."""

from __future__ import annotations

import pytest

from aegis.localcluster.kubelet.addresses import AddressPool, node_address, pod_network


def test_networks() -> None:
    assert node_address(0) == "172.18.0.2"
    assert pod_network(1) == "10.244.2.0/24"
    assert pod_network(1, plain=True) == "127.244.2.0/24"


def test_an_address_is_used_again_as_late_as_possible() -> None:
    pool = AddressPool("10.244.1.0/24")
    first = pool.take()
    assert first == "10.244.1.2"
    pool.give_back(first)
    others = [pool.take() for _ in range(252)]
    assert first not in others
    assert pool.take() == first
    with pytest.raises(IndexError):
        pool.take()
