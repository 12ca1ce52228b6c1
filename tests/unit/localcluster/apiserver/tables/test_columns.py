"""Ages as kubectl writes them."""

from __future__ import annotations

import pytest

from aegis.localcluster.apiserver.tables.columns import duration, labels_text

DAY, YEAR = 86_400, 31_536_000


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (119.9, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (5 * 3600 + 720, "5h12m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (3 * DAY + 4 * 3600, "3d4h"),
        (8 * DAY, "8d"),
        (2 * YEAR, "2y"),
        (3 * YEAR + 20 * DAY, "3y20d"),
        (9 * YEAR + DAY, "9y"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_labels() -> None:
    assert labels_text({"b": "2", "a": "1"}) == "a=1,b=2"
    assert labels_text(None) == "<none>"
