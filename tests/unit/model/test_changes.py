from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.model.changes import Apply, Change, ChangeSet, JsonPatch, body_of, change_to_dict, parse_change, within
from aegis.model.refs import ObjectRef

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def change_set(*changes: Change, **overrides: Any) -> ChangeSet:
    values: dict[str, Any] = {
        "target": WEB,
        "target_uid": "u1",
        "base_generation": 3,
        "spec_hash": "sha256:0",
        "changes": changes,
    }
    return ChangeSet(**{**values, **overrides})


@given(st.dictionaries(st.text(min_size=1, max_size=6).filter(lambda key: key != "metadata"), json_values, max_size=4))
def test_a_change_is_read_back_as_it_was_written(patch: dict[str, Any]) -> None:
    change = Apply(target=WEB, patch=patch)
    assert parse_change(change_to_dict(change), namespace="other") == change


def test_in_another_namespace_the_bytes_on_the_wire_are_the_same() -> None:
    change = Apply(target=WEB, patch={"spec": {"replicas": 2}})
    moved = within(change, "aegis-shadow-x-c")
    assert moved.target.namespace == "aegis-shadow-x-c"
    assert body_of(moved) == body_of(change)  # type: ignore[arg-type]


def test_an_apply_names_its_object_and_nothing_of_its_namespace() -> None:
    body = body_of(Apply(target=WEB, patch={"spec": {"replicas": 2}}))
    assert body == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 2},
    }


@pytest.mark.parametrize(
    "other",
    [
        change_set(Apply(target=WEB, patch={"spec": {"replicas": 3}})),
        change_set(Apply(target=WEB, patch={"spec": {"replicas": 2}}), target_uid="u2"),
        change_set(Apply(target=WEB, patch={"spec": {"replicas": 2}}), spec_hash="sha256:1"),
        change_set(Apply(target=WEB, patch={"spec": {"replicas": 2}}), base_generation=4),
        change_set(),
    ],
)
def test_the_digest_differs_where_anything_differs(other: ChangeSet) -> None:
    assert other.digest != change_set(Apply(target=WEB, patch={"spec": {"replicas": 2}})).digest


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    one = change_set(Apply(target=WEB, patch={"a": 1, "b": 2}))
    two = change_set(Apply(target=WEB, patch={"b": 2, "a": 1}))
    assert one.digest == two.digest


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ({}, "target"),
        ({"target": {"kind": "Deployment"}, "type": "apply", "patch": {}}, "target"),
        ({"target": {"kind": "Deployment", "name": "web"}, "type": "delete"}, "type"),
        ({"target": {"kind": "Deployment", "name": "web"}, "type": "apply", "patch": []}, "patch"),
        ({"target": {"kind": "Deployment", "name": "web"}, "type": "json-patch", "patch": {}}, "patch"),
    ],
)
def test_what_is_no_change_is_refused_and_the_field_is_named(item: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_change(item, namespace="shop")


def test_a_json_patch_keeps_its_operations_in_order() -> None:
    operations = ({"op": "test", "path": "/a", "value": 1}, {"op": "remove", "path": "/a"})
    assert body_of(JsonPatch(target=WEB, patch=operations)) == list(operations)
