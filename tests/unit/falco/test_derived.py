"""What an alert tells, what follows from it, and what it only seems to tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aegis.falco.alert import Alert, parse_alert
from aegis.falco.derived import is_altered, told, told_field


def alert(**fields: Any) -> Alert:
    found = parse_alert(json.dumps({"rule": "r", "output": "o", "priority": "Notice", "output_fields": fields}))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "fields", "value"),
    [
        ("fd.directory", {"fd.name": "/etc/pam.d/su"}, "/etc/pam.d"),
        ("fd.filename", {"fd.name": "/etc/pam.d/su"}, "su"),
        ("fd.directory", {"fd.name": "/etc/pam.d/su", "fd.directory": "/x"}, "/x"),
        ("fd.directory", {"fd.name": "/etc", "fd.type": "directory"}, None),
        ("fd.directory", {"fd.name": "/top"}, None),
        ("fd.directory", {"fd.name": None}, None),
        ("fd.directory", {"fd.name": "10.0.0.1:1->10.0.0.2:2"}, None),
        ("fd.cip", {"fd.name": "10.0.0.1:1->10.0.0.2:443"}, "10.0.0.1"),
        ("fd.sip", {"fd.name": "10.0.0.1:1->10.0.0.2:443"}, "10.0.0.2"),
        ("fd.snet", {"fd.name": "10.0.0.1:1->10.0.0.2:443"}, "10.0.0.2"),
        ("fd.sport", {"fd.name": "10.0.0.1:1->10.0.0.2:443", "fd.type": "ipv4"}, 443),
        ("fd.sport", {"fd.name": "10.0.0.1:1->10.0.0.2:443", "fd.type": "file"}, None),
        ("fd.typechar", {"fd.type": "ipv6"}, "6"),
        ("proc.args", {"proc.name": "ps", "proc.cmdline": "ps -e f"}, "-e f"),
        ("proc.args", {"proc.name": "ps", "proc.cmdline": "ps"}, ""),
        ("proc.args", {"proc.name": "ps", "proc.cmdline": "psql -e"}, None),
        ("proc.aname[1]", {"proc.pname": "sh"}, "sh"),
        ("proc.pname", {"proc.aname[1]": "sh"}, "sh"),
        ("syscall.type", {"evt.type": "open"}, "open"),
        ("fd.num", {}, None),
    ],
)
def test_what_follows(name: str, fields: dict[str, Any], value: object) -> None:
    assert told_field(fields, name) == value
    found, _ = told(alert(**fields), [name])
    assert found.get(name) == value


def test_every_ancestor_that_is_told() -> None:
    found, _ = told(alert(**{"proc.pname": "sh", "proc.aname[2]": "bash", "proc.name": "x"}), ["proc.aname"])
    assert found == {"proc.aname[1]": "sh", "proc.aname[2]": "bash"}


def test_a_value_that_was_no_text_equals_no_text() -> None:
    found, altered = told(alert(**{"proc.name": "c\N{REPLACEMENT CHARACTER}t"}), ["proc.name"])
    assert altered == ["proc.name"]
    assert found["proc.name"].encode("utf-8", "surrogateescape") == b"c\xfft"


def test_a_value_that_was_shortened_is_not_told() -> None:
    short = "x" * 507 + "[...]"
    assert told(alert(**{"proc.cmdline": short}), ["proc.cmdline"]) == ({}, ["proc.cmdline"])
    assert is_altered(short)
    assert not is_altered("echo [...]")
