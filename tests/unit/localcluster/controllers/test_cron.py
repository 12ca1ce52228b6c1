"""When schedules are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.localcluster.controllers.cron import parsed

START = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)  # a Thursday


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("* * * * *", "2026-01-01T12:31"),
        ("*/20 * * * *", "2026-01-01T12:40"),
        ("5/30 * * * *", "2026-01-01T12:35"),
        ("@hourly", "2026-01-01T13:00"),
        ("@daily", "2026-01-02T00:00"),
        ("0 8-17/3 * * *", "2026-01-01T14:00"),
        ("0 0 * * mon", "2026-01-05T00:00"),
        ("0 0 13 * fri", "2026-01-02T00:00"),
        ("0 0 13 * *", "2026-01-13T00:00"),
        ("0 0 29 feb *", "2028-02-29T00:00"),
        ("@every 1h30m", "2026-01-01T14:00"),
    ],
)
def test_the_next_time(text: str, due: str) -> None:
    assert parsed(text).after(START) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_a_day_that_never_comes() -> None:
    assert parsed("0 0 30 2 *").after(START) is None


def test_a_zone_has_its_own_hours_and_skips_some() -> None:
    berlin = parsed("30 2 * * *", ZoneInfo("Europe/Berlin"))
    assert berlin.after(START) == datetime(2026, 1, 2, 1, 30, tzinfo=UTC)
    summer = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert berlin.after(summer) == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "* * * *", "61 * * * *", "5-1 * * * *", "x * * * *"])
def test_what_is_no_schedule(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(text)


@settings(deadline=None, max_examples=30)  # other work on the machine is no defect
@given(st.sampled_from(["*/7 * * * *", "0 3 * * 1", "15 */5 1,15 * *", "@every 17m"]), st.integers(0, 2 * 1440))
def test_the_latest_time_is_the_last_of_all_next_ones(text: str, minutes: int) -> None:
    schedule, now = parsed(text), START + timedelta(minutes=minutes)
    due, last = schedule.after(START), None
    while due is not None and due <= now:
        last, due = due, schedule.after(due)
    assert schedule.latest(START, now) == last
