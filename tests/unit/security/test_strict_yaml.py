"""What a reader makes of a stream, value by value, with the lines on which they stand. Refusals: `test_canonical.py`."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.security.strict_yaml import DEPTH_LIMIT, Node, NotCanonical, of_value, read


def plain(text: str) -> list[Any]:
    return [node.plain() for node in read(text.encode())]


def test_empty_documents_are_left_out() -> None:
    assert plain("---\n---\n# c\n--- {a: 1}\n...\n---\nnull\n") == [{"a": 1}]


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("Y", True),
        ("n", False),
        ('"y"', "y"),
        ("!!str y", "y"),
        ("!!bool 'no'", False),
        ("!!int '7'", 7),
        ("!!float '1.5'", 1.5),
        ("!!null ''", None),
        ("!!timestamp 2026-01-01", "2026-01-01"),
        ("1e3", 1000.0),
        ("-0.0", 0.0),
        ("0x1f", 31),
        ("12:30:45", "12:30:45"),
        ("1:2.5", "1:2.5"),
        ("=", "="),
        ("<<", "<<"),
        ("'a''b'", "a'b"),
        ('"\\U0001f600"', "\U0001f600"),
    ],
)
def test_scalars(scalar: str, value: Any) -> None:
    assert plain(f"a: {scalar}") == [{"a": value}]


def test_keys_are_names_as_json_has_them() -> None:
    assert plain("on: 1\n2: 3\ny: 4\n'<<': 5\n&k key: 6\nother: *k") == [
        {"true": 1, "2": 3, "y": 4, "<<": 5, "key": 6, "other": "key"}
    ]


def test_an_earlier_base_is_stronger_and_own_keys_are_strongest() -> None:
    assert plain("a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc: {<<: [*a, *b], y: 3}")[0]["c"] == {"x": 1, "y": 3, "z": 2}


def test_an_alias_is_what_its_anchor_was_last() -> None:
    assert plain("- &a 1\n- *a\n- &a 2\n- *a") == [[1, 1, 2, 2]]


def test_an_anchor_ends_with_its_document() -> None:
    with pytest.raises(NotCanonical, match="names nothing"):
        plain("a: &a 1\n---\nb: *a")


def test_lines() -> None:
    (root,) = read(b"\n\na: 1\nb:\n  - x\n  - c: &n 2\nd: *n\n")
    assert isinstance(root.value, dict)
    b = root.value["b"]
    assert isinstance(b.value, list)
    assert [root.line, root.value["a"].line, b.line, *(item.line for item in b.value)] == [3, 3, 4, 5, 6]
    assert root.value["d"].line == 7


def test_values_that_were_read_already() -> None:
    assert of_value({"a": (1, "x", None)}) == Node({"a": Node([Node(1), Node("x"), Node(None)])})
    for wrong in (object(), float("nan"), b"x", {"a": {1}}, "\ud800"):
        with pytest.raises((NotCanonical, ValueError)):
            of_value(wrong)
    deep: Any = 1
    for _ in range(DEPTH_LIMIT + 2):
        deep = [deep]
    with pytest.raises(NotCanonical, match="nested"):
        of_value(deep)
