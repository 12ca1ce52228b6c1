"""The cluster's DNS."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.localcluster.kubelet.network import dns

NAMES = {"web.shop.svc.cluster.local": ("10.96.0.5",), "db.shop.svc.cluster.local": ("10.244.1.2", "10.244.1.3")}
ALIASES = {"far.shop.svc.cluster.local": "example.org"}
A, AAAA = 1, 28


def query(name: str, kind: int = A) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!HHHHHH", 77, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def asked(name: str, kind: int = A) -> tuple[int, list[bytes]]:
    """The response code and the data of the answers."""
    sent = query(name, kind)
    reply = dns.answer(sent, NAMES, ALIASES)
    assert reply is not None
    identifier, flags, questions, answers = struct.unpack_from("!HHHH", reply)
    assert (identifier, questions, flags & 0x8000) == (77, 1, 0x8000)
    assert reply[12 : len(sent)] == sent[12:]
    data, at = [], len(sent)
    for _ in range(answers):
        (length,) = struct.unpack_from("!H", reply, at + 10)
        data.append(reply[at + 12 : at + 12 + length])
        at += 12 + length
    assert at == len(reply)
    return flags & 0xF, data


@pytest.mark.parametrize(
    ("name", "kind", "code", "data"),
    [
        ("web.shop.svc.cluster.local", A, 0, [bytes([10, 96, 0, 5])]),
        ("WEB.shop.svc.Cluster.local", A, 0, [bytes([10, 96, 0, 5])]),
        ("db.shop.svc.cluster.local", A, 0, [bytes([10, 244, 1, 2]), bytes([10, 244, 1, 3])]),
        ("web.shop.svc.cluster.local", AAAA, 0, []),
        ("shop.svc.cluster.local", A, 0, []),
        ("10-244-1-9.shop.pod.cluster.local", A, 0, [bytes([10, 244, 1, 9])]),
        ("far.shop.svc.cluster.local", A, 0, [b"\7example\3org\0"]),
        ("gone.shop.svc.cluster.local", A, 3, []),
        ("example.org", A, 3, []),
    ],
)
def test_answers(name: str, kind: int, code: int, data: list[bytes]) -> None:
    assert asked(name, kind) == (code, data)


@given(st.binary(max_size=80))
def test_noise_is_answered_with_a_fault_or_not_at_all(noise: bytes) -> None:
    reply = dns.answer(noise, NAMES, ALIASES)
    assert reply is None or reply[:2] == noise[:2]


def test_a_response_is_no_query() -> None:
    sent = bytearray(query("web.shop.svc.cluster.local"))
    sent[2] |= 0x80
    assert dns.answer(bytes(sent), NAMES, ALIASES) is None
