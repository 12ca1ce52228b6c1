import pytest

from aegis.localcluster.apiserver.http.bodies import UnsupportedType, decode_body
from aegis.localcluster.apiserver.refusals import BadRequest

JSON, YAML = "application/json", "application/yaml"
ALIASES = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{n}: &{n} [{','.join([f'*{p}'] * 9)}]\n" for p, n in zip("abcdefg", "bcdefgh", strict=True)
)


def test_json_yaml_and_nothing() -> None:
    assert decode_body(b'{"a": 1}', JSON) == {"a": 1}
    assert decode_body(b"a: 2001-01-01", YAML) == {"a": "2001-01-01"}
    assert decode_body(b'{"a": 1}', "application/apply-patch+yaml") == {"a": 1}
    assert decode_body(b" ", JSON) is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", JSON),
        (b'{"a": NaN}', JSON),
        (b"[" * 100_000, JSON),
        (b"[" * 300 + b"]" * 300, JSON),
        (b"\xff", JSON),
        (b"a: [", YAML),
        (b"1: a", YAML),
        (b"a: !!binary aGk=", YAML),
        (b"!!python/object/apply:os.getcwd []", YAML),
        (ALIASES.encode(), YAML),
    ],
)
def test_bodies_that_are_refused(body: bytes, kind: str) -> None:
    with pytest.raises(BadRequest):
        decode_body(body, kind)


@pytest.mark.parametrize("kind", ["text/plain", "application/vnd.kubernetes.protobuf", "application/cbor"])
def test_types_that_are_refused(kind: str) -> None:
    with pytest.raises(UnsupportedType):
        decode_body(b"x", kind)
