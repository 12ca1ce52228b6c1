import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.kube.patch import MAX_OPERATIONS, PatchError, apply_json_patch, merge_patch

SCALARS = st.one_of(st.integers(0, 3), st.booleans(), st.sampled_from(["x", "y"]))
JSON = st.recursive(
    SCALARS, lambda c: st.one_of(st.lists(c, max_size=2), st.dictionaries(st.sampled_from("abc"), c)), max_leaves=8
)
PATCHES = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(st.one_of(st.none(), SCALARS), lambda c: st.dictionaries(st.sampled_from("abc"), c), max_leaves=8),
)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_rfc_7386(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


@settings(deadline=None)
@given(target=JSON, patch=PATCHES)
def test_merging_twice_is_merging_once_and_changes_no_argument(target: Any, patch: Any) -> None:
    before = copy.deepcopy((target, patch))
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once
    assert (target, patch) == before


def test_json_patch() -> None:
    target = {"a": [1, 2], "b": {"c": 1}}
    patched = apply_json_patch(
        target,
        [
            {"op": "add", "path": "/a/1", "value": 9},
            {"op": "move", "from": "/b/c", "path": "/d"},
            {"op": "test", "path": "/a", "value": [1, 9, 2]},
        ],
    )
    assert patched == {"a": [1, 9, 2], "b": {}, "d": 1}
    assert target == {"a": [1, 2], "b": {"c": 1}}


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "remove", "path": "/zz"}],
        [{"op": "test", "path": "/a", "value": 2}],
        [{"op": "jump", "path": "/a"}],
        [{"path": "/a"}],
        {"op": "remove", "path": "/a"},
        ["remove"],
        [{"op": "replace", "path": "/a/b/c", "value": 1}],
        [{"op": "add", "path": "/b"}],
        [{"op": "test", "path": "/a", "value": 1}] * (MAX_OPERATIONS + 1),
    ],
)
def test_json_patches_that_do_not_apply(operations: Any) -> None:
    with pytest.raises(PatchError):
        apply_json_patch({"a": 1}, operations)
