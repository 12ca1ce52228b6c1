"""Constants of each type, and what is none of it."""

from __future__ import annotations

import ipaddress

import pytest

from aegis.falco.comparison import EvaluationError, against, reader
from aegis.falco.fields import Entry, resolve
from aegis.falco.tree import Field


def entry(name: str) -> Entry:
    return resolve(Field(name))


@pytest.mark.parametrize(
    ("field", "word", "constant", "value"),
    [
        ("proc.pid", "=", "7", 7),
        ("proc.is_exe_writable", "!=", "true", False),
        ("fd.sip", "=", "::1", ipaddress.ip_address("::1")),
        ("fd.snet", "=", "fd00::/8", ipaddress.ip_address("fd00::7")),
        ("fd.rport", ">=", "1024", 8080),
        ("evt.buffer", "bcontains", "6162", b"xaby"),
        ("proc.name", "icontains", "BA", b"bash"),
    ],
)
def test_what_passes(field: str, word: str, constant: str, value: object) -> None:
    assert against(entry(field), word, "", [constant])(value)


def test_nothing_passes_against_no_constants() -> None:
    for modifier in ("", "oneof", "anyof", "allof"):
        assert not against(entry("proc.name"), "=", modifier, [])(b"x")


@pytest.mark.parametrize(
    ("field", "constant"), [("fd.sip", "1.2.3"), ("fd.snet", "10.0.0.0/99"), ("proc.pid", "9" * 30)]
)
def test_what_is_no_constant(field: str, constant: str) -> None:
    with pytest.raises(EvaluationError):
        against(entry(field), "=", "", [constant])


def test_values_of_alerts_are_read_by_the_type_of_their_field() -> None:
    assert reader(entry("proc.pid"))("12") == (12,)
    assert reader(entry("proc.pid"))("x") == ()
    assert reader(entry("proc.is_exe_writable"))("true") == (True,)
    assert reader(entry("fd.sip"))("10.0.0.1") == (ipaddress.ip_address("10.0.0.1"),)
    assert reader(entry("fd.sip"))("nonsense") == ()
    assert reader(entry("fd.types"))(["ipv4", "file"]) == [b"ipv4", b"file"]


def test_a_port_with_a_nul_is_refused() -> None:
    with pytest.raises(EvaluationError, match="unrecognized protocol"):
        against(resolve(Field("fd.sport")), "=", "", ["a\0b"])
