"""Durations as kubectl spells them."""

from __future__ import annotations

import pytest

from aegis.interfaces.cli.options import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("30s", 30), ("5m", 300), ("1h", 3600), ("1h30m", 5400), ("500ms", 0.5), ("1.5m", 90)],
)
def test_times(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5", "0", "5 m", "5x", "m5", "1e9s"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"no time|above zero"):
        parse_duration(text)
