"""Where a line of a canonical manifest belongs, and that it is the same place when lines move."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.security.canonical import render
from aegis.security.manifest_tools.places import location_at, mark

CONTAINER: dict[str, Any] = {
    "name": "web",
    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    "ports": [{"containerPort": 80, "hostPort": 80}],
    "securityContext": {"capabilities": {"add": ["NET_ADMIN", "SYS_ADMIN"]}, "privileged": True},
}
TEMPLATE = {
    "spec": {"containers": [{"name": "first"}, CONTAINER], "volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}
}


def job() -> str:
    spec = {"schedule": "@daily", "jobTemplate": {"spec": {"template": TEMPLATE}}}
    return render({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"}, "spec": spec})


def lines(text: str, *parts: str) -> tuple[int, int]:
    """The first and last line of a text that hold these parts."""
    found = [number for number, line in enumerate(text.splitlines(), 1) if any(part in line for part in parts)]
    return found[0], found[-1]


@pytest.mark.parametrize(
    ("parts", "location"),
    [
        (("privileged",), "containers[web].securityContext.privileged"),
        (("SYS_ADMIN",), "containers[web].securityContext.capabilities.add[SYS_ADMIN]"),
        (("name: B", 'value: "2"'), "containers[web].env[B]"),
        (('value: "2"',), "containers[web].env[B].value"),
        (("hostPort",), "containers[web].ports[80].hostPort"),
        (("hostPath", "path: /x"), "volumes[v].hostPath"),
        (("name: A", "name: B"), "containers[web].env"),
        (("schedule",), "spec.schedule"),
        (("kind: CronJob",), "kind"),
    ],
)
def test_the_smallest_value_that_holds_the_lines(parts: tuple[str, ...], location: str) -> None:
    text = job()
    assert location_at(text, *lines(text, *parts)) == location


def test_an_item_without_name_is_called_by_what_it_holds() -> None:
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    other = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    text = render({"kind": "Role", "rules": [rule]})
    moved = render({"kind": "Role", "rules": [other, rule]})
    assert location_at(text, *lines(text, "secrets")) == location_at(moved, *lines(moved, "secrets"))
    assert location_at(text, *lines(text, "secrets")).startswith("rules[#")


@given(
    st.recursive(
        st.integers() | st.text(max_size=8),
        lambda child: st.lists(child, max_size=3) | st.dictionaries(st.text(max_size=5), child, max_size=3),
        max_leaves=15,
    ),
    st.integers(0, 40),
    st.integers(0, 3),
)
def test_any_line_of_any_object_has_a_place(value: Any, first: int, more: int) -> None:
    text = render({"kind": "Thing", "spec": value})
    assert isinstance(location_at(text, first, first + more), str)


def test_a_mark_tells_values_apart() -> None:
    assert mark({"a": 1, "b": 2}) == mark({"b": 2, "a": 1}) != mark({"a": 1})
