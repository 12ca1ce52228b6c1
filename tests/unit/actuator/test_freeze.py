from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aegis.actuator import FreezeWindow
from aegis.errors import UsageError


@pytest.mark.parametrize(
    "text",
    [
        "",
        "always",
        "Fri 16:00 - 08:00 UTC",
        "16:00 - Mon 08:00 UTC",
        "Fri 16:00 - Mon 08:00",
        "Foo 16:00 - Mon 08:00 UTC",
        "Fri 25:00 - Mon 08:00 UTC",
        "Fri 16:61 - Mon 08:00 UTC",
        "Fri 16:00 - Mon 08:00 Middle/Earth",
        "Fri 16:00 - Mon 08:00 ../../etc/passwd",
        "2026-02-30 00:00 - 2026-03-01 00:00 UTC",
        "2026-02-01 00:00 - Mon 00:00 UTC",
        "2026-02-02 00:00 - 2026-02-01 00:00 UTC",
    ],
)
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(UsageError):
        FreezeWindow.parse(text)


def test_wall_time_follows_the_zones_summer_time() -> None:
    window = FreezeWindow.parse("Sun 10:00 - Sun 11:00 Europe/Berlin")
    assert window.covers(datetime(2026, 1, 4, 9, 30, tzinfo=UTC))
    assert not window.covers(datetime(2026, 7, 5, 9, 30, tzinfo=UTC))
    assert window.covers(datetime(2026, 7, 5, 8, 30, tzinfo=UTC))


def test_a_window_to_the_end_of_the_day() -> None:
    window = FreezeWindow.parse("Sun 22:00 - Sun 24:00 UTC")
    assert window.covers(datetime(2026, 1, 4, 23, 59, tzinfo=UTC))
    assert not window.covers(datetime(2026, 1, 5, 0, 0, tzinfo=UTC))
