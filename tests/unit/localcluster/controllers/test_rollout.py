"""The arithmetic of rollouts, by example and by property."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.localcluster.controllers.rollout import (
    Goal,
    Replicas,
    is_scaling,
    new_size,
    old_sizes,
    resized,
    resolve,
)


def goal(replicas: int, surge: int | str = "25%", unavailable: int | str = "25%") -> Goal:
    limits = {"maxSurge": surge, "maxUnavailable": unavailable}
    return Goal.of({"spec": {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": limits}}})


def some(name: str, wanted: int, available: int | None = None, **more: Any) -> Replicas:
    created = more.pop("created", f"2026-01-0{ord(name[0]) % 9 + 1}T00:00:00Z")
    return Replicas(
        name=name, created=created, wanted=wanted, available=wanted if available is None else available, **more
    )


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (1, "25%", "25%", (1, 0)),
        (2, "25%", "25%", (1, 0)),
        (4, "25%", "25%", (1, 1)),
        (10, "25%", "25%", (3, 2)),
        (3, 0, 0, (0, 1)),
        (3, 0, 5, (0, 3)),
        (0, "25%", "25%", (0, 0)),
    ],
)
def test_surge_rounds_up_and_unavailable_down(
    replicas: int, surge: int | str, unavailable: int | str, expected: tuple[int, int]
) -> None:
    found = goal(replicas, surge, unavailable)
    assert (found.surge, found.unavailable) == expected


def test_percentages_resolve_exactly() -> None:
    assert resolve("33%", 10, up=True) == 4
    assert resolve("33%", 10, up=False) == 3
    assert resolve("100%", 7, up=True) == 7
    assert resolve(5, 1, up=True) == 5


def test_first_step_adds_the_surge() -> None:
    assert new_size(goal(4), 0, 4) == 1


def test_new_set_waits_while_the_surge_is_used_up() -> None:
    assert new_size(goal(4), 1, 5) == 1


def test_recreate_goes_to_full_size_at_once() -> None:
    recreate = Goal.of({"spec": {"replicas": 3, "strategy": {"type": "Recreate"}}})
    assert new_size(recreate, 0, 9) == 3


def test_old_pods_stay_until_new_ones_are_available() -> None:
    assert old_sizes(goal(2), some("new", 1, 0), [some("a", 2)]) == {}
    assert old_sizes(goal(2), some("new", 1, 1), [some("a", 2)]) == {"a": 1}


def test_unavailable_old_pods_go_first_and_cost_nothing() -> None:
    # 4 wanted, 1 may miss: the broken set b gives up its pods though none of the new is available yet
    assert old_sizes(goal(4, 1, 1), some("new", 1, 0), [some("a", 3), some("b", 1, 0)]) == {"b": 0}


def test_scaling_a_single_set_is_direct() -> None:
    assert resized(goal(5), some("new", 2), [some("a", 0)], 2) == {"new": 5}
    assert resized(goal(5), None, [some("a", 0), some("b", 0)], 0) in ({"a": 5}, {"b": 5})
    assert resized(goal(2), some("new", 2), [], 2) == {}


def test_scaling_during_a_rollout_keeps_proportions() -> None:
    # The worked example of the Kubernetes documentation: 10 replicas, surge 3, at 8 old + 5 new; scaled to 15.
    during = {"deployment_wanted": 10, "deployment_maximum": 13}
    sizes = resized(goal(15, 3, 2), some("new", 5, 0, **during), [some("a", 8, 8, **during)], 13)
    assert sizes == {"a": 11, "new": 7}


def test_scaling_notices_the_annotation() -> None:
    assert is_scaling(goal(3), [some("new", 2, deployment_wanted=2)])
    assert not is_scaling(goal(3), [some("new", 2, deployment_wanted=3)])
    assert not is_scaling(goal(3), [some("new", 0, deployment_wanted=2)])


@given(
    replicas=st.integers(0, 30),
    surge=st.one_of(st.integers(0, 10), st.integers(0, 100).map(lambda n: f"{n}%")),
    unavailable=st.one_of(st.integers(0, 10), st.integers(0, 100).map(lambda n: f"{n}%")),
    old=st.lists(st.integers(0, 15), max_size=3),
)
def test_a_rollout_ends_and_never_breaks_its_limits(
    replicas: int, surge: int | str, unavailable: int | str, old: list[int]
) -> None:
    wanted = goal(replicas, surge, unavailable)
    new = some("new", 0)
    rest = [some(chr(97 + i), n) for i, n in enumerate(old)]
    start = sum(old)
    for _ in range(200):
        total = new.wanted + sum(r.wanted for r in rest)
        grown = new_size(wanted, new.wanted, total)
        assert total - new.wanted + grown <= max(wanted.maximum, total)
        if grown != new.wanted:
            new = some("new", grown, new.available)
            new = some("new", grown, grown)  # its pods become available
            continue
        shrunk = old_sizes(wanted, new, rest)
        if not shrunk:
            break
        rest = [some(r.name, shrunk.get(r.name, r.wanted)) for r in rest]
        available = new.available + sum(r.available for r in rest)
        assert available >= min(wanted.least_available, start)
    assert new.wanted == replicas
    assert all(r.wanted == 0 for r in rest)
