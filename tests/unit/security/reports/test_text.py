"""Text of strangers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from scans import HOSTILE

from aegis.security.reports.text import MOST, clean, cleaned, line, link

JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(alphabet=some.characters()),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(alphabet=some.characters()), inner),
)


@given(some.text(alphabet=some.characters()))
def test_a_clean_text_can_be_written_and_is_clean_already(text: str) -> None:
    done = clean(text)
    done.encode()
    assert clean(done) == done
    assert not any(ord(char) < 32 and char not in "\t\n" for char in done)


def test_what_is_ordinary_stays() -> None:
    assert clean("naïve 日本 🚀\n\ttab") == "naïve 日本 🚀\n\ttab"


def test_what_is_hostile_goes() -> None:
    gone = {"\x1b", "\x9b", "\x00", "\x08", "\ufffe", "\ud800", "\u202e"}
    assert gone <= set(HOSTILE)
    assert set(clean(HOSTILE)) == set(HOSTILE) - gone | {"\N{REPLACEMENT CHARACTER}"}


def test_too_much_is_cut_and_says_so() -> None:
    assert len(clean("x" * (MOST + 1))) == MOST
    assert clean("x" * (MOST + 1)).endswith("…")


def test_one_line() -> None:
    assert line("a\n b\t\tc") == "a b c"


@given(JSON)
def test_values_keep_their_shape(value: Any) -> None:
    assert type(cleaned(value)) is type(value)


def test_a_branch_without_end_is_cut() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert "…" in str(cleaned(deep))


@pytest.mark.parametrize("text", ["javascript:alert(1)", "", "https://", "https://a b", "file:///etc", "https://a\n"])
def test_no_link(text: str) -> None:
    assert not link(text)


def test_a_link() -> None:
    assert link("https://example.com/a?b=c#d") == "https://example.com/a?b=c#d"
