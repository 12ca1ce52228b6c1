import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.localcluster.apiserver.protobuf.decoding import decode_object
from aegis.localcluster.apiserver.protobuf.messages import messages
from aegis.localcluster.apiserver.protobuf.wire import WireError, field, message, read, signed


def body(kind: str, raw: bytes, api_version: str = "v1") -> bytes:
    meta = message([field(1, api_version), field(2, kind)])
    return b"k8s\x00" + message([field(1, meta), field(2, raw)])


def test_a_config_map() -> None:
    metadata = message([field(1, "c"), field(2, ""), field(3, "ns"), field(8, b"")])
    entry = message([field(1, "key"), field(2, "value")])
    binary = message([field(1, "raw"), field(2, b"\x00\x01")])
    raw = message([field(1, metadata), field(2, entry), field(3, binary)])
    assert decode_object(body("ConfigMap", raw)) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "ns"},
        "data": {"key": "value"},
        "binaryData": {"raw": "AAE="},
    }


def test_zeros_that_are_meant_stay() -> None:
    replicas = b"\x08\x00"  # field 1, varint 0
    spec = message([replicas, field(4, message([field(1, "")]))])
    assert decode_object(body("Deployment", field(2, spec), "apps/v1"))["spec"] == {"replicas": 0}


def test_inlined_messages_and_odd_types() -> None:
    source = field(2, field(2, b""))  # emptyDir of a volume's source
    volume = message([field(1, "v"), source])
    port = message([field(1, "http"), field(3, 80), field(4, message([b"\x08\x01", field(3, "web")]))])
    assert decode_object(body("Pod", field(2, field(1, volume))))["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]
    assert decode_object(body("Service", field(2, field(1, port))))["spec"]["ports"] == [
        {"name": "http", "port": 80, "targetPort": "web"}
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"k8s\x00\xff",
        body("Node", b""),
        body("ConfigMap", field(99, "x")),
        body("ConfigMap", field(1, field(1, b"\xff\xfe"))),
        body("ConfigMap", b"\x0a\x7f"),
        body("ConfigMap", b"\x08\x01"),
    ],
)
def test_what_cannot_be_read_whole_is_refused(raw: bytes) -> None:
    with pytest.raises(WireError):
        decode_object(raw)


@settings(deadline=None)
@given(raw=st.binary(max_size=60))
def test_no_bytes_do_harm(raw: bytes) -> None:
    with contextlib.suppress(WireError):
        decode_object(body("Deployment", raw))


@settings(deadline=None)
@given(value=st.integers(1, 2**64 - 1), number=st.integers(1, 200))
def test_varints_come_back(value: int, number: int) -> None:
    assert list(read(field(number, value))) == [(number, 0, value)]
    assert signed(2**64 - 1) == -1


def test_every_type_of_the_table_is_known() -> None:
    scalars = {"string", "bytes", "int", "bool", "Time", "MicroTime", "Quantity", "IntOrString", "Ignored"}
    named = {f.type for fields in messages().values() for f in fields.values()}
    assert named - scalars <= set(messages())
