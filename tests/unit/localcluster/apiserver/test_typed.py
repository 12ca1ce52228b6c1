from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.localcluster.apiserver.fieldsets import FieldSet, paths, to_wire
from aegis.localcluster.apiserver.registry import Registry
from aegis.localcluster.apiserver.typed import BuiltinView, CustomView, compare, fields_of, merge, remove, view_of

VIEW = BuiltinView("Pod")
NAMES = st.sampled_from(["a", "b", "c"])
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": NAMES}, optional={"image": st.sampled_from(["x", "y"]), "args": st.just(["1"])}),
    unique_by=lambda c: c["name"],
    max_size=3,
)
PODS = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries({"labels": st.dictionaries(NAMES, NAMES, min_size=1)}),
        "spec": st.fixed_dictionaries({"containers": CONTAINERS.filter(bool)}),
    },
)


def all_paths(fields: FieldSet) -> set[tuple[str, ...]]:
    return set(paths(fields))


@settings(deadline=None)
@given(old=PODS, new=PODS)
def test_comparing_is_symmetric(old: dict[str, Any], new: dict[str, Any]) -> None:
    there, back = compare(VIEW, old, new), compare(VIEW, new, old)
    assert all_paths(there.added) == all_paths(back.removed)
    assert all_paths(there.modified) == all_paths(back.modified)
    if old == new:
        assert not any((there.added, there.removed, there.modified))


@settings(deadline=None)
@given(live=PODS, config=PODS)
def test_merging_changes_what_the_configuration_says_and_removes_nothing(
    live: dict[str, Any], config: dict[str, Any]
) -> None:
    merged = merge(VIEW, live, config)
    assert not compare(VIEW, live, merged).removed
    assert merge(VIEW, merged, config) == merged
    assert all_paths(fields_of(VIEW, config)) <= all_paths(fields_of(VIEW, merged))


@settings(deadline=None)
@given(pod=PODS)
def test_removing_every_field_leaves_nothing(pod: dict[str, Any]) -> None:
    assert remove(VIEW, pod, fields_of(VIEW, pod)) is None


def test_the_order_of_a_merged_list() -> None:
    def pod(*names: str) -> dict[str, Any]:
        return {"spec": {"containers": [{"name": n} for n in names]}}

    def merged(live: tuple[str, ...], config: tuple[str, ...]) -> list[str]:
        return [c["name"] for c in merge(VIEW, pod(*live), pod(*config))["spec"]["containers"]]

    assert merged(("a", "b"), ("b", "a")) == ["b", "a"]
    assert merged(("a", "side", "b"), ("a", "b", "new")) == ["a", "side", "b", "new"]
    assert merged(("side", "b"), ("new", "b")) == ["side", "new", "b"]


def test_atomic_and_associative_places() -> None:
    pod = {
        "spec": {
            "nodeSelector": {"a": "b"},
            "containers": [{"name": "c", "ports": [{"containerPort": 80}]}],
            "tolerations": [{"key": "x"}],
        }
    }
    assert to_wire(fields_of(VIEW, pod)) == {
        "f:spec": {
            "f:nodeSelector": {},
            "f:tolerations": {},
            "f:containers": {
                'k:{"name":"c"}': {
                    ".": {},
                    "f:name": {},
                    "f:ports": {
                        'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}},
                    },
                }
            },
        }
    }


def test_labels_are_keys_and_fields_are_not() -> None:
    assert to_wire(fields_of(VIEW, {"metadata": {"labels": {"a": "1"}}})) == {"f:metadata": {"f:labels": {"f:a": {}}}}
    compared = compare(VIEW, {"metadata": {}}, {"metadata": {"labels": {"a": "1"}}})
    assert to_wire(compared.added) == {"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"x-kubernetes-list-type": "set"}, {"f:x": {'v:"a"': {}}}),
        ({"x-kubernetes-list-type": "atomic"}, {"f:x": {}}),
        ({}, {"f:x": {}}),
    ],
)
def test_custom_lists(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    view = CustomView({"properties": {"x": {"type": "array", "items": {"type": "string"}, **schema}}}, root=True)
    assert to_wire(fields_of(view, {"x": ["a"]})) == expected


def test_builtin_views_come_from_the_registry() -> None:
    assert view_of(Registry().named("pods")) == VIEW
