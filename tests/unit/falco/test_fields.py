"""Fields are found in the catalogue, with their arguments."""

from __future__ import annotations

import pytest

from aegis.falco.fields import FieldError, catalogue, resolve
from aegis.falco.tree import Field


def test_the_catalogue_is_whole() -> None:
    assert len(catalogue()) == 269
    assert all(entry.name == name for name, entry in catalogue().items())


def test_arguments_in_brackets_and_after_a_dot() -> None:
    assert resolve(Field("proc.aname", "2")).type == "CHARBUF"
    assert resolve(Field("proc.aname")).argument == "optional"
    assert resolve(Field("evt.arg.flags")).name == "evt.arg"
    assert resolve(Field("k8s.pod.label", "app")).name == "k8s.pod.label"


@pytest.mark.parametrize(
    "field",
    [Field("proc.nome"), Field("proc.name", "2"), Field("evt.arg"), Field("proc.name.x"), Field("evt.arg.x", "y")],
    ids=str,
)
def test_what_is_no_field(field: Field) -> None:
    with pytest.raises(FieldError):
        resolve(field)


def test_bounds_follow_the_type() -> None:
    assert resolve(Field("fd.rport")).bounds == (0, 65535)
    assert resolve(Field("user.uid")).bounds == (0, 2**32 - 1)
    assert resolve(Field("proc.pid")).bounds == (-(2**63), 2**63 - 1)
