"""What is written is read again as the same text, and as nothing but text."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aegis.falco.yaml_text import scalar


@given(st.text())
def test_a_text_comes_back(text: str) -> None:
    assert yaml.safe_load(scalar(text)) == text
    assert yaml.safe_load(f"[{scalar(text)}, {scalar(text)}]") == [text, text]
    assert yaml.safe_load(f"- rule: {scalar(text)}  # x\n") == [{"rule": text}]


@pytest.mark.parametrize(
    "text", ["yes", "null", "1", "1e3", "0x1", "", "~", "- a", "a: b", "a #b", "!x", "2001-01-01", "a, b"]
)
def test_what_looks_like_something_else_is_quoted(text: str) -> None:
    assert scalar(text).startswith('"')


def test_words_are_plain() -> None:
    assert scalar("Terminal shell in container") == "Terminal shell in container"


def test_half_a_pair() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        scalar("\ud800")
