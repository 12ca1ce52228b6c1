"""The inverse of any change leads back, and only from where the change had led."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.delivery.difference import content_of, difference, inverse, same, value_at

scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4)
keys = st.sampled_from(["a", "b", "a/b", "m~n", "", "spec"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)
objects = st.dictionaries(keys, values, max_size=5)


def patched(document: Any, operations: list[dict[str, Any]]) -> Any:
    return jsonpatch.apply_patch(copy.deepcopy(document), operations)


@given(objects, objects)
def test_a_difference_leads_from_one_to_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert same(patched(before, difference(before, after)), after)


@given(objects, objects)
def test_the_inverse_after_the_change_is_the_identity(before: dict[str, Any], after: dict[str, Any]) -> None:
    there = patched(before, difference(before, after))
    assert same(patched(there, inverse(before, after)), before)


@given(objects)
def test_equal_values_differ_in_nothing(value: dict[str, Any]) -> None:
    assert difference(value, copy.deepcopy(value)) == []


def test_the_inverse_refuses_what_somebody_changed_since() -> None:
    before = {"spec": {"image": "a:1", "env": [{"name": "X", "value": "1"}]}}
    after = {"spec": {"image": "a:2", "env": [{"name": "X", "value": "1"}]}}
    meddled = {"spec": {"image": "a:3", "env": []}}
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        patched(meddled, inverse(before, after))


def test_an_added_list_item_is_guarded_by_the_whole_list() -> None:
    before = {"env": [{"name": "A"}]}
    after = {"env": [{"name": "B"}, {"name": "A"}]}
    assert inverse(before, after) == [
        {"op": "test", "path": "/env", "value": after["env"]},
        {"op": "replace", "path": "/env", "value": before["env"]},
    ]


def test_true_is_not_one() -> None:
    assert difference({"a": True}, {"a": 1}) == [{"op": "replace", "path": "/a", "value": 1}]


def test_pointers_are_escaped_and_found_again() -> None:
    document = {"metadata": {"labels": {"app.kubernetes.io/name": "x", "t~t": "y"}}}
    (one, two) = difference({"metadata": {"labels": {}}}, document)
    assert value_at(document, one["path"]) == "x"
    assert value_at(document, two["path"]) == "y"


def test_what_controllers_and_the_server_write_is_no_content() -> None:
    obj = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "resourceVersion": "7",
            "labels": {"app": "web"},
            "annotations": {"deployment.kubernetes.io/revision": "3", "team": "shop"},
        },
        "spec": {"replicas": 1},
        "status": {"replicas": 1},
    }
    assert content_of(obj) == {
        "spec": {"replicas": 1},
        "metadata": {"labels": {"app": "web"}, "annotations": {"team": "shop"}},
    }


def test_a_first_annotation_is_added_and_taken_back_alone() -> None:
    """A controller may have written its own beside it since: the whole map must not go."""
    before, after = content_of({"metadata": {}}), content_of({"metadata": {"annotations": {"team": "shop"}}})
    assert inverse(before, after)[-1] == {"op": "remove", "path": "/metadata/annotations/team"}
