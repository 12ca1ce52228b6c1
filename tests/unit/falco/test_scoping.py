"""The fewest fields that leave the other alerts alone, and what no exception can be scoped to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aegis.falco.alert import Alert, parse_alert
from aegis.falco.scoping import Refused, scoped, why_unsafe

TOLD = {"k8s.ns.name": "ci", "container.image.repository": "runner", "proc.exepath": "/bin/sh", "proc.name": "sh"}


def alert(rule: str = "r", **changes: Any) -> Alert:
    fields = {**TOLD, **{name.replace("__", "."): value for name, value in changes.items()}}
    found = parse_alert(json.dumps({"rule": rule, "output": "o", "priority": "Notice", "output_fields": fields}))
    assert found is not None
    return found


def test_no_more_than_it_takes() -> None:
    history = [alert(proc__cmdline="a"), alert(proc__cmdline="b", k8s__ns__name="shop"), alert("other")]
    found = scoped(history, {0}, [], leave_out=False)
    assert found.fields == ("k8s.ns.name", "container.image.repository", "proc.exepath")
    assert (found.values, found.numbers, found.notes) == ((("ci", "runner", "/bin/sh"),), (0,), ())


def test_the_field_that_tells_most_apart() -> None:
    history = [alert(proc__cmdline="a", user__name="root"), alert(proc__cmdline="b", user__name="root")]
    history += [alert(proc__cmdline="b", user__name="app")]
    assert scoped(history, {0}, [], leave_out=False).fields[3:] == ("proc.cmdline",)


@pytest.mark.parametrize("name", ["container.id", "k8s.pod.name", "evt.time", "proc.pid", "no.field", "fd.lport"])
def test_what_is_another_at_each_start_is_no_scope(name: str) -> None:
    history = [alert(**{name.replace(".", "__"): "a"}), alert(**{name.replace(".", "__"): "b"})]
    assert scoped(history, {0}, [], leave_out=False).numbers == (0, 1)


def test_what_cannot_be_scoped_stays_or_refuses_all() -> None:
    history = [alert(), alert(k8s__ns__name=None)]
    with pytest.raises(Refused, match=r"does not tell k8s\.ns\.name"):
        scoped(history, {0, 1}, [], leave_out=False)
    found = scoped(history, {0, 1}, [], leave_out=True)
    assert found.numbers == (0,)
    assert "1 of 2 alerts stay" in found.notes[0]
    with pytest.raises(Refused, match="1 of 1 alerts stay"):
        scoped(history, {1}, [], leave_out=True)


@pytest.mark.parametrize(
    ("value", "is_safe"),
    [
        ("sh", True),
        (0, True),
        ("", False),
        (True, False),
        (None, False),
        ("a\nb", False),
        ("x" * 255, True),
        ("x" * 256, False),
    ],
)
def test_values(value: object, is_safe: bool) -> None:
    assert (why_unsafe(value) == "") is is_safe
