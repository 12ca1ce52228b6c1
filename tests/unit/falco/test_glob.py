"""Patterns match as fnmatch(3) matches them in the C locale, in bounded time."""

from __future__ import annotations

import ctypes
import locale
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aegis.falco.glob import matcher

alphabet = st.text("ab/*?[]!^-\\xY", max_size=10)


def fnmatch(pattern: bytes, text: bytes) -> bool:
    library = ctypes.CDLL(None)
    return bool(library.fnmatch(pattern, text, 0) == 0)


@given(alphabet, alphabet)
@example("[a-b]x", "bx")
@example("[!a]", "b")
@example("[]a]", "]")
@example("[a", "[a")
@example("[?-", "[?-")
@example("[[a", "[[a")
@example("[a\\", "[a\\")
@example("\\*", "*")
def test_it_agrees_with_the_c_library(pattern: str, text: str) -> None:
    ours = matcher(pattern.encode())(text.encode())
    assert ours == fnmatch(pattern.encode(), text.encode()), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text", "answer"),
    [
        ("*", "", True),
        ("a*c", "a/b/c", True),
        ("?", "é", False),
        ("??", "é", True),
        ("[[:alpha:]]*", "x1", True),
        ("[[:digit:]]", "x", False),
    ],
)
def test_what_matches(pattern: str, text: str, answer: bool) -> None:
    assert matcher(pattern.encode())(text.encode()) is answer


def test_only_ascii_letters_have_two_cases() -> None:
    assert matcher(b"[a-c]BC*", ignore_case=True)(b"Abcd")
    assert not matcher("É".encode(), ignore_case=True)("é".encode())


def test_no_pattern_is_slow() -> None:
    begun = time.process_time()
    assert not matcher(b"*a" * 40 + b"b")(b"a" * 4000)
    assert time.process_time() - begun < 5


def test_the_locale_is_the_one_that_the_comparison_needs() -> None:
    assert locale.setlocale(locale.LC_COLLATE) in {"C", "C.UTF-8", "POSIX"}
