import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.evidence.documents import Unparsed, documents


def test_dates_and_words_stay_what_kubernetes_means() -> None:
    (found,) = documents("time: 2026-01-01T00:00:00Z\nmode: on\nanswer: no\ntruth: true\nnumber: 3\nport: '80'\n")

    assert found == {
        "time": "2026-01-01T00:00:00Z",
        "mode": "on",
        "answer": "no",
        "truth": True,
        "number": 3,
        "port": "80",
    }


def test_several_documents() -> None:
    assert list(documents("a: 1\n---\nb: 2\n")) == [{"a": 1}, {"b": 2}]
    assert list(documents('{"a": 1}\n{"b": 2}')) == [{"a": 1}, {"b": 2}]


def test_aliases_are_permitted_and_their_growth_is_not() -> None:
    assert list(documents("a: &x {b: 1}\nc: *x\n")) == [{"a": {"b": 1}, "c": {"b": 1}}]
    bomb = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
    with pytest.raises(Unparsed, match="aliases"):
        list(documents(bomb))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{" * 100_000,
        '{"a":' * 50_000,
        "a: [" * 50_000,
        "- " * 50_000 + "x",
        "!!python/object:os.system {}",
        "a: b: c",
        "\t- x",
    ],
)
def test_hostile_texts_are_refused(text: str) -> None:
    with pytest.raises(Unparsed):
        list(documents(text))


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc.-/", min_size=1, max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(_JSON)
def test_what_is_written_is_read_back(value: object) -> None:
    """JSON is YAML, and says what is a text: what YAML 1.1 writes bare (`0E0`), YAML 1.2 and Kubernetes read as a number."""
    assert list(documents(json.dumps(value, ensure_ascii=False))) == [value]


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Unparsed):
        list(documents(text))
