"""Lines become places that stay when lines move."""

from __future__ import annotations

import pytest

from aegis.model.refs import ObjectRef
from aegis.security.canonical import render
from aegis.security.trivytool.placed import Placed

TEXT = render({
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "template": {
            "spec": {
                "containers": [
                    {"name": "app", "image": "a", "ports": [{"containerPort": 80}, {"containerPort": 81}]},
                    {"name": "side", "image": "b"},
                ],
                "volumes": [{"name": "data", "hostPath": {"path": "/"}}],
            }
        }
    },
    "rules": [{"verbs": ["get", "list"]}, {"verbs": ["*"]}],
})
PLACED = Placed.of(ObjectRef(api_version="apps/v1", kind="Deployment", name="web"), TEXT)


def lines(word: str) -> int:
    return next(number for number, line in enumerate(TEXT.splitlines(), 1) if word in line)


@pytest.mark.parametrize(
    ("first", "last", "place"),
    [
        ("name: app", "containerPort: 81", "containers[app]"),
        ("name: app", "name: app", "containers[app]"),
        ("containerPort: 81", "containerPort: 81", "containers[app].ports[81]"),
        ("name: side", "image: b", "containers[side]"),
        ("hostPath", "path: /", "volumes[data]"),
        ("containers:", "image: b", ""),
        ("kind:", "kind:", ""),
    ],
)
def test_the_innermost_item_that_holds_the_lines(first: str, last: str, place: str) -> None:
    assert PLACED.location(lines(first), lines(last)) == place


def test_items_without_a_name_are_called_by_what_they_say() -> None:
    one, other = PLACED.location(lines("- get") - 1, lines("- list")), PLACED.location(lines('"*"'), lines('"*"'))
    assert one.startswith("rules[")
    assert other.startswith("rules[")
    assert one.partition("]")[0] != other.partition("]")[0]


def test_unknown_lines_are_the_object_as_a_whole() -> None:
    assert PLACED.location(0, 0) == ""
    assert PLACED.location(900, 901) == ""
    assert Placed.of(PLACED.subject, "").items == ()
