"""The arithmetic of disruption budgets."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.localcluster.disruption import Counts, bounds, conditioned, healthy, is_free, selects, taken, verdict

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
sizes = st.integers(0, 200)
amounts = st.one_of(st.integers(0, 250), st.integers(0, 100).map(lambda n: f"{n}%"))


def pod(*, ready: bool = True, phase: str = "Running", **labels: str) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {"metadata": {"name": "p", "labels": labels}, "status": {"phase": phase, "conditions": conditions}}


def budget(status: dict[str, Any] | None = None, generation: int = 1, **spec: Any) -> dict[str, Any]:
    observed = {"observedGeneration": 1, **(status or {})}
    return {"metadata": {"name": "b", "generation": generation}, "spec": spec, "status": observed}


@settings(deadline=None, max_examples=50)
@given(amounts, sizes)
def test_what_may_be_unavailable_is_what_need_not_be_available(most: int | str, scale: int) -> None:
    expected, desired = bounds({"maxUnavailable": most}, pods=7, scale=scale)
    allowed = most if isinstance(most, int) else math.ceil(scale * int(most[:-1]) / 100)
    assert expected == scale
    assert desired == max(0, scale - allowed)
    assert 0 <= desired <= scale


@settings(deadline=None, max_examples=50)
@given(amounts, sizes, sizes)
def test_what_must_be_available(least: int | str, pods: int, scale: int) -> None:
    expected, desired = bounds({"minAvailable": least}, pods=pods, scale=scale)
    if isinstance(least, int):
        assert (expected, desired) == (pods, least)
    else:
        assert expected == scale
        assert scale * int(least[:-1]) <= 100 * desired < scale * int(least[:-1]) + 100


@settings(deadline=None, max_examples=50)
@given(sizes, sizes, sizes)
def test_evicting_all_that_is_allowed_leaves_enough(expected: int, desired: int, ready: int) -> None:
    allowed = Counts(expected=expected, desired=desired, healthy=ready).allowed
    assert allowed >= 0
    if allowed:
        assert ready - allowed == desired
    elif expected:
        assert ready <= desired


def test_only_ready_pods_that_stay_are_healthy() -> None:
    going = pod()
    going["metadata"]["deletionTimestamp"] = NOW
    assert healthy([pod(), pod(ready=False), going], {}) == 1
    assert healthy([pod()], {"p": NOW}) == 0


@pytest.mark.parametrize(
    ("selector", "expected"), [(None, False), ({}, True), ({"matchLabels": {"a": "b"}}, True), ({"matchLabels": {"a": "c"}}, False)]
)  # fmt: skip
def test_selection(selector: Any, *, expected: bool) -> None:
    assert selects({"spec": {"selector": selector}}, pod(a="b")) is expected


@pytest.mark.parametrize(
    ("status", "policy", "ready", "expected"),
    [
        ({"disruptionsAllowed": 1}, None, True, "take"),
        ({"disruptionsAllowed": 0}, None, True, "refuse"),
        ({"disruptionsAllowed": 0}, "AlwaysAllow", True, "refuse"),
        ({"disruptionsAllowed": 0}, "AlwaysAllow", False, "delete"),
        ({"disruptionsAllowed": 0, "desiredHealthy": 2, "currentHealthy": 2}, None, False, "delete"),
        ({"disruptionsAllowed": 0, "desiredHealthy": 2, "currentHealthy": 1}, None, False, "refuse"),
        ({"disruptionsAllowed": 0, "desiredHealthy": 0, "currentHealthy": 0}, "IfHealthyBudget", False, "refuse"),
    ],
)
def test_the_verdict(status: dict[str, Any], policy: str | None, *, ready: bool, expected: str) -> None:
    given: dict[str, Any] = {"unhealthyPodEvictionPolicy": policy} if policy else {}
    chosen = budget(status, **given)
    assert verdict(chosen, pod(ready=ready)) == expected


def test_a_budget_that_was_not_looked_at_since_it_changed_waits() -> None:
    assert verdict(budget({"disruptionsAllowed": 5}, generation=2), pod()) == "not yet"


@pytest.mark.parametrize(("phase", "free"), [("Pending", True), ("Running", False), ("Succeeded", True)])
def test_who_serves_nobody_is_free(phase: str, *, free: bool) -> None:
    assert is_free(pod(phase=phase)) is free


def test_a_condition_turns_only_with_its_status() -> None:
    first = conditioned({"disruptionsAllowed": 2}, generation=1, moment=NOW)
    one_left = taken(first, "p", LATER)
    assert one_left["disruptedPods"] == {"p": LATER}
    assert one_left["conditions"][0]["lastTransitionTime"] == NOW
    none_left = taken(one_left, "q", LATER)
    assert none_left["disruptionsAllowed"] == 0
    assert (none_left["conditions"][0]["status"], none_left["conditions"][0]["lastTransitionTime"]) == ("False", LATER)
    failed = conditioned(none_left, generation=2, moment=LATER, failure="no size")
    assert (failed["conditions"][0]["reason"], failed["conditions"][0]["message"]) == ("SyncFailed", "no size")
