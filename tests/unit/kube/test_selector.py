import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.kube.selector import (
    Requirement,
    Selector,
    SelectorError,
    equality_selector,
    field_value,
    label_selector,
    match_fields,
    node_requirements,
    parse_field_selector,
    parse_selector,
)

KEYS = st.sampled_from(["app", "tier", "acme.dev/x"])
VALUES = st.sampled_from(["a", "b", "c-1"])
LABELS = st.dictionaries(KEYS, VALUES)
REQUIREMENTS = st.one_of(
    st.builds(Requirement, KEYS, st.sampled_from(["In", "NotIn"]), st.frozensets(VALUES, min_size=1)),
    st.builds(Requirement, KEYS, st.sampled_from(["Exists", "DoesNotExist"])),
)


@pytest.mark.parametrize(
    ("text", "labels", "selected"),
    [
        ("", {}, True),
        ("a=1", {"a": "1"}, True),
        ("a==1", {"a": "2"}, False),
        ("a!=1", {}, True),
        ("a in (1,2)", {"a": "2"}, True),
        ("a in (1, 2)", {"a": "3"}, False),
        ("a notin (1,2)", {}, True),
        ("a notin(1)", {"a": "1"}, False),
        ("a", {"a": ""}, True),
        ("!a", {"a": ""}, False),
        ("a=", {"a": ""}, True),
        ("a>3", {"a": "4"}, True),
        ("a<3", {"a": "x"}, False),
        ("acme.dev/x=1,!b", {"acme.dev/x": "1"}, True),
        ("a=1,b=2", {"a": "1"}, False),
    ],
)
def test_selection(text: str, labels: dict[str, str], selected: bool) -> None:
    assert parse_selector(text).matches(labels) is selected


@pytest.mark.parametrize(
    "text", ["a=b=c", "a in b", "-a", "a=b,,", "a in (b", "a>x", "a b", "!", "x" * 20_000, "a/b/c"]
)
def test_what_is_no_selector(text: str) -> None:
    with pytest.raises(SelectorError):
        parse_selector(text)


@settings(deadline=None)
@given(requirements=st.lists(REQUIREMENTS, max_size=4), labels=LABELS)
def test_text_and_back(requirements: list[Requirement], labels: dict[str, str]) -> None:
    selector = Selector(tuple(requirements))
    assert parse_selector(str(selector)).matches(labels) == selector.matches(labels)


@settings(deadline=None)
@given(requirements=st.lists(REQUIREMENTS, max_size=4), labels=LABELS)
def test_label_selector_objects_mean_the_same(requirements: list[Requirement], labels: dict[str, str]) -> None:
    expressions = [{"key": r.key, "operator": r.operator, "values": sorted(r.values)} for r in requirements]
    expected = all(r.matches(labels) for r in requirements)
    assert label_selector({"matchExpressions": expressions}).matches(labels) == expected


def test_nothing_and_everything() -> None:
    assert not label_selector(None).matches({"a": "1"})
    assert label_selector({}).matches({})
    assert not equality_selector({}).matches({})
    assert equality_selector({"a": "1"}).matches({"a": "1", "b": "2"})


@pytest.mark.parametrize(
    "expression",
    [
        {"key": "a", "operator": "Near", "values": ["1"]},
        {"key": "a", "operator": "In"},
        {"key": "a", "operator": "Exists", "values": ["1"]},
        {"key": "a", "operator": "Gt", "values": ["1"]},
    ],
)
def test_expressions_that_make_no_sense(expression: dict[str, object]) -> None:
    with pytest.raises(SelectorError):
        label_selector({"matchExpressions": [expression]})


def test_node_requirements_compare_numbers() -> None:
    selector = node_requirements([{"key": "cores", "operator": "Gt", "values": ["4"]}])
    assert selector.matches({"cores": "8"})
    assert not selector.matches({"cores": "4"})


def test_fields() -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"nodeName": "n", "hostNetwork": True}}
    assert match_fields(parse_field_selector("metadata.name=p,spec.nodeName!=m"), pod)
    assert not match_fields(parse_field_selector("status.phase=Running"), pod)
    assert match_fields(parse_field_selector("status.phase="), pod)
    assert field_value(pod, "spec.hostNetwork") == "true"
    with pytest.raises(SelectorError):
        parse_field_selector("metadata.name")
