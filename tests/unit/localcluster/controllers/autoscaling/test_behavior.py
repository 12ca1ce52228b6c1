"""How fast a size may change."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.localcluster.controllers.autoscaling.behavior import (
    History,
    Mark,
    Range,
    limited,
    longest_period,
    stabilized,
    tolerance,
    window,
)

NOW = 10_000.0
sizes = st.integers(1, 100)
marks = st.lists(st.builds(Mark, st.floats(NOW - 900, NOW), sizes), max_size=8)


def rules(kind: str = "Percent", value: int = 100, period: int = 60, **more: Any) -> dict[str, Any]:
    return {"policies": [{"type": kind, "value": value, "periodSeconds": period}], "selectPolicy": "Max", **more}


def behavior(**directions: Any) -> dict[str, Any]:
    return {"scaleUp": rules(), "scaleDown": rules(), **directions}


@settings(deadline=None, max_examples=50)
@given(sizes, sizes, marks)
def test_windows_only_hold_back(desired: int, current: int, past: list[Mark]) -> None:
    chosen = behavior(scaleUp=rules(stabilizationWindowSeconds=120), scaleDown=rules(stabilizationWindowSeconds=300))
    steady = stabilized(chosen, desired, current, History(now=NOW, recommendations=past))
    assert min(desired, current) <= steady <= max(desired, current)
    if not past:
        assert steady == desired


@settings(deadline=None, max_examples=50)
@given(sizes, marks)
def test_without_a_behavior_the_highest_of_five_minutes_holds(desired: int, past: list[Mark]) -> None:
    steady = stabilized(None, desired, desired, History(now=NOW, recommendations=past))
    assert steady == max([desired, *(m.replicas for m in past if m.at > NOW - 300)])


@settings(deadline=None, max_examples=50)
@given(sizes, sizes, st.integers(1, 50), st.integers(0, 50))
def test_no_step_leaves_the_range(desired: int, current: int, least: int, more: int) -> None:
    size = Range(current=min(max(current, least), least + more), least=least, most=least + more)
    for chosen in (None, behavior()):
        held = limited(chosen, desired, size, History(now=NOW))
        assert least <= held.replicas <= least + more
        assert (held.reason == "DesiredWithinRange") is (held.replicas == desired)
        assert (held.replicas - size.current) * (desired - size.current) >= 0


@pytest.mark.parametrize(
    ("chosen", "current", "desired", "ups", "expected"),
    [
        (None, 1, 50, 0, (4, "ScaleUpLimit")),
        (None, 10, 50, 0, (20, "ScaleUpLimit")),
        (None, 10, 150, 0, (20, "ScaleUpLimit")),
        (None, 60, 150, 0, (100, "TooManyReplicas")),
        (None, 60, 0, 0, (1, "TooFewReplicas")),
        (behavior(scaleUp=rules("Pods", 4)), 10, 50, 0, (14, "ScaleUpLimit")),
        (behavior(scaleUp=rules("Pods", 4)), 10, 50, 3, (11, "ScaleUpLimit")),
        (behavior(scaleUp=rules("Pods", 4)), 10, 50, 9, (10, "ScaleUpLimit")),
        (behavior(scaleUp=rules("Percent", 50)), 5, 50, 0, (8, "ScaleUpLimit")),
        (behavior(scaleUp=rules(selectPolicy="Disabled")), 5, 50, 0, (5, "ScaleUpLimit")),
        (behavior(scaleDown=rules("Pods", 2)), 10, 1, 0, (8, "ScaleDownLimit")),
        (behavior(scaleDown=rules("Percent", 10)), 15, 1, 0, (13, "ScaleDownLimit")),
        (behavior(scaleDown=rules(selectPolicy="Disabled")), 10, 1, 0, (10, "ScaleDownLimit")),
        (behavior(), 10, 12, 0, (12, "DesiredWithinRange")),
    ],
)
def test_limits(chosen: Any, current: int, desired: int, ups: int, expected: tuple[int, str]) -> None:
    past = [Mark(NOW - 30, ups), Mark(NOW - 61, 40)] if ups else []
    held = limited(chosen, desired, Range(current=current, least=1, most=100), History(now=NOW, ups=past))
    assert (held.replicas, held.reason) == expected


@pytest.mark.parametrize(("select", "expected"), [("Max", 20), ("Min", 12)])
def test_which_policy_counts(select: str, expected: int) -> None:
    policies = [
        {"type": "Pods", "value": 2, "periodSeconds": 60},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ]
    chosen = behavior(scaleUp={"policies": policies, "selectPolicy": select})
    assert limited(chosen, 90, Range(current=10, least=1, most=100), History(now=NOW)).replicas == expected
    assert longest_period(chosen) == 60


def test_what_is_not_named_has_a_default() -> None:
    assert (window(None, "scaleUp"), window(behavior(), "scaleDown")) == (0, 300)
    assert window(behavior(scaleDown=rules(stabilizationWindowSeconds=0)), "scaleDown") == 0
    assert tolerance(None).up == tolerance(behavior()).down
    assert tolerance(behavior(scaleUp=rules(tolerance="500m"))).up * 2 == 1
    assert longest_period(None) == 0
