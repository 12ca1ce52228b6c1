"""Rule files as YAML with places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.falco.source import Mapping, Scalar, Sequence, SourceError, documents


def test_scalars_are_kept_as_written_with_their_places() -> None:
    (document,) = documents("- a: yes\n  b: 0x10\n  c:\n")
    assert isinstance(document, Sequence)
    (item,) = document.items
    assert isinstance(item, Mapping)
    assert item.get("a") == Scalar("yes", (1, 6))
    assert item.get("b") == Scalar("0x10", (2, 6))
    nothing = item.get("c")
    assert isinstance(nothing, Scalar)
    assert nothing.is_null
    assert ("a" in item, "z" in item, item.keys) == (True, False, ("a", "b", "c"))


def test_several_documents_and_the_first_of_two_keys() -> None:
    first, second = documents("- {a: 1, a: 2}\n---\nx\n")
    assert isinstance(first, Sequence)
    assert isinstance(first.items[0], Mapping)
    assert first.items[0].get("a") == Scalar("1", (1, 7))
    assert second == Scalar("x", (3, 1))


def test_where_it_is_no_yaml_is_told() -> None:
    with pytest.raises(SourceError) as refused:
        documents("- a: b\n- {c\n")
    assert refused.value.place[0] >= 2


def _read(text: str) -> bool:
    try:
        documents(text)
    except SourceError:
        return False
    return True


@given(st.text(max_size=60) | st.text("-:[]{}&*!| a\n", max_size=60))
def test_no_text_is_a_surprise(text: str) -> None:
    assert _read(text) in {True, False}
