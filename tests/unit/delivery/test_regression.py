"""Production was broken already: only strictly worse than before goes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.delivery.regression import Aftermath, Look, WatchRules, judge
from aegis.model.health import Health

RULES = WatchRules(window=300, stable=120, deadline=600)


def looks(*seen: tuple[float, int], wanted: int = 3, settled: bool = True, crashes: int = 0) -> list[Look]:
    return [
        Look(at=at, health=Health(wanted=wanted, ready=ready, settled=settled, crashes=crashes)) for at, ready in seen
    ]


def every(seconds: range, ready: int) -> list[tuple[float, int]]:
    return [(float(at), ready) for at in seconds]


BROKEN = Health(wanted=3, ready=1)


def test_nothing_seen_decides_nothing() -> None:
    assert judge([], BROKEN, RULES) is None


def test_good_for_long_enough_is_resolved() -> None:
    assert judge(looks(*every(range(0, 119, 5), 3)), BROKEN, RULES) is None
    assert judge(looks(*every(range(0, 121, 5), 3)), BROKEN, RULES) is Aftermath.RESOLVED


def test_a_dip_starts_the_clock_anew() -> None:
    seen = looks(*every(range(0, 100, 5), 3), (100, 2), *every(range(105, 200, 5), 3))
    assert judge(seen, BROKEN, RULES) is None


def test_a_crash_starts_the_clock_anew() -> None:
    before, after = looks(*every(range(0, 100, 5), 3)), looks(*every(range(100, 200, 5), 3), crashes=1)
    assert judge(before + after, BROKEN, RULES) is None


def test_ready_pods_of_an_unfinished_rollout_are_not_good() -> None:
    assert judge(looks(*every(range(0, 200, 5), 3), settled=False), BROKEN, RULES) is None


def test_fewer_than_before_for_long_enough_is_worse() -> None:
    assert judge(looks(*every(range(0, 119, 5), 0)), BROKEN, RULES) is None, "a rollout dips for less"
    assert judge(looks(*every(range(0, 121, 5), 0)), BROKEN, RULES) is Aftermath.WORSE


def test_as_bad_as_before_is_not_worse() -> None:
    assert judge(looks(*every(range(0, 301, 5), 1)), BROKEN, RULES) is Aftermath.UNRESOLVED


def test_nothing_can_be_worse_than_nothing() -> None:
    nothing = Health(wanted=3, ready=0)
    assert judge(looks(*every(range(0, 301, 5), 0)), nothing, RULES) is Aftermath.UNRESOLVED


def test_a_slow_start_is_given_until_the_deadline() -> None:
    slow = looks(*every(range(0, 250, 5), 1), *every(range(250, 305, 5), 2))
    assert judge(slow, BROKEN, RULES) is None
    late = looks(*every(range(0, 250, 5), 1), *every(range(250, 601, 5), 2))
    assert judge(late, BROKEN, RULES) is Aftermath.UNRESOLVED


def test_what_turned_worse_late_is_not_left_so_when_the_window_ends() -> None:
    late = [*every(range(0, 280, 5), 1), *every(range(280, 305, 5), 0)]
    assert judge(looks(*late), BROKEN, RULES) is None, "it may be a dip"
    assert judge(looks(*late, *every(range(305, 405, 5), 0)), BROKEN, RULES) is Aftermath.WORSE
    assert judge(looks(*late, *every(range(305, 605, 5), 1)), BROKEN, RULES) is Aftermath.UNRESOLVED


def test_at_the_deadline_what_is_worse_goes_back_even_if_it_has_just_become_so() -> None:
    seen = looks(*every(range(0, 500, 5), 1), *every(range(500, 580, 5), 2), *every(range(580, 601, 5), 0))
    assert judge(seen[:-1], BROKEN, RULES) is None
    assert judge(seen, BROKEN, RULES) is Aftermath.WORSE


@given(st.lists(st.integers(0, 3), min_size=1, max_size=200), st.integers(0, 3))
def test_no_watch_is_endless_and_worse_means_fewer_ready(ready: list[int], before: int) -> None:
    seen = looks(*[(5.0 * index, count) for index, count in enumerate(ready)])
    found = judge(seen, Health(wanted=3, ready=before), RULES)
    if seen[-1].at >= RULES.deadline:
        assert found is not None
    if found is Aftermath.WORSE and seen[-1].at < RULES.deadline:
        assert all(look.health.ready < before for look in seen if look.at >= seen[-1].at - RULES.stable)
    assert found is not Aftermath.UNRESOLVED or seen[-1].health.ready >= before
    if found is Aftermath.RESOLVED:
        assert all(look.health.ready == 3 for look in seen if look.at >= seen[-1].at - RULES.stable)


def test_a_faster_cluster_is_watched_as_much_shorter() -> None:
    assert RULES.scaled(20) == WatchRules(window=15, stable=6, deadline=30)


def test_rules_that_can_never_be_met_are_refused() -> None:
    with pytest.raises(ValueError, match="within the deadline"):
        WatchRules(window=10, stable=20, deadline=10)
