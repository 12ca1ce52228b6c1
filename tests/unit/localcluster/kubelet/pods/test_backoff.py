"""Back-off."""

from __future__ import annotations

import pytest

from aegis.localcluster.api import Pace
from aegis.localcluster.kubelet.pods.backoff import Backoff, go_duration


def test_the_delays_of_a_row_of_failures() -> None:
    pace, backoff, now, delays = Pace(), Backoff(), 1000.0, []
    for _ in range(7):
        assert backoff.remaining(now, now, pace) == backoff.delay
        now += backoff.delay
        backoff = backoff.raised(now, now, pace)
        delays.append(backoff.delay)
    assert delays == [10, 20, 40, 80, 160, 300, 300]


def test_a_long_run_is_forgiven() -> None:
    backoff = Backoff(delay=300, updated_at=1000)
    assert backoff.remaining(1601, 1601, Pace()) == 0
    assert backoff.raised(1601, 1601, Pace()).delay == 10
    assert backoff.raised(1600, 1600, Pace()).delay == 300


def test_the_time_scale_divides_waits_and_windows() -> None:
    fast, backoff = Pace(scale=10), Backoff(delay=40, updated_at=1000)
    assert backoff.remaining(1001, 1002, fast) == 3
    assert backoff.raised(1061, 1061, fast).delay == 10


@pytest.mark.parametrize(
    ("seconds", "text"), [(10, "10s"), (80, "1m20s"), (160, "2m40s"), (300, "5m0s"), (3661, "1h1m1s")]
)
def test_durations_as_go_prints_them(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text
