from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.localcluster.apiserver.fieldsets import (
    FieldSet,
    difference,
    from_wire,
    intersection,
    member,
    path_text,
    paths,
    to_wire,
    union,
)

PATHS = st.sets(st.lists(st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"']), min_size=1, max_size=3).map(tuple))


def of(chosen: set[tuple[str, ...]]) -> FieldSet:
    result: FieldSet = {}
    for path in chosen:
        node: FieldSet = member()
        for element in reversed(path):
            node = {element: node}
        result = union(result, node)
    return result


@settings(deadline=None)
@given(one=PATHS, other=PATHS)
def test_they_behave_as_sets_of_paths(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> None:
    assert set(paths(of(one))) == one
    assert set(paths(union(of(one), of(other)))) == one | other
    assert set(paths(difference(of(one), of(other)))) == one - other
    assert set(paths(intersection(of(one), of(other)))) == one & other


@settings(deadline=None)
@given(chosen=PATHS)
def test_the_wire_form_is_faithful(chosen: set[tuple[str, ...]]) -> None:
    assert set(paths(from_wire(to_wire(of(chosen))))) == chosen


def test_the_wire_form_is_that_of_kubernetes() -> None:
    chosen = {("f:spec", "f:replicas"), ("f:labels",), ("f:labels", "f:app")}
    assert to_wire(of(chosen)) == {"f:labels": {".": {}, "f:app": {}}, "f:spec": {"f:replicas": {}}}


def test_paths_as_messages_show_them() -> None:
    assert path_text(("f:spec", 'k:{"name":"c"}', "f:image")) == '.spec[name="c"].image'
    assert path_text(("f:finalizers", 'v:"a/b"')) == '.finalizers[="a/b"]'
