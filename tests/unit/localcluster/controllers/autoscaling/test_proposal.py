"""How many replicas a metric asks for."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.localcluster.controllers.autoscaling.proposal import (
    Clock,
    Groups,
    MetricError,
    Reading,
    Tolerance,
    by_average,
    by_utilization,
    grouped,
    requests_of,
)

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CLOCK = Clock(now=NOW)
amounts = st.integers(0, 5000)
measured = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), amounts, min_size=1, max_size=12)
names = st.frozensets(st.text("xyz", min_size=1, max_size=3), max_size=6)
targets = st.integers(1, 3000)


def groups_of(known: dict[str, int], unready: frozenset[str] = frozenset(), missing: frozenset[str] = frozenset()) -> Groups:  # fmt: skip
    return Groups(measured=known, unready=unready, missing=missing - unready)


@settings(deadline=None, max_examples=50)
@given(measured, targets)
def test_what_is_all_known_follows_the_ratio(known: dict[str, int], target: int) -> None:
    size = by_average(groups_of(known), len(known), target).replicas
    ratio = Fraction(sum(known.values()) // len(known), target)
    assert size == (len(known) if Fraction(9, 10) <= ratio <= Fraction(11, 10) else math.ceil(ratio * len(known)))


@settings(deadline=None, max_examples=50)
@given(measured, names, names, targets)
def test_what_is_not_known_never_makes_the_change_larger(
    known: dict[str, int], unready: frozenset[str], missing: frozenset[str], target: int
) -> None:
    groups = groups_of(known, unready, missing)
    current = len(known) + len(groups.unready) + len(groups.missing)
    size = by_average(groups, current, target).replicas
    ratio = Fraction(sum(known.values()) // len(known), target)
    if ratio > 1:
        assert current <= size <= max(current, math.ceil(ratio * current))
    elif groups.missing:
        assert size <= current
        assert size >= math.ceil(ratio * len(known))


@settings(deadline=None, max_examples=50)
@given(measured, targets, st.integers(1, 400))
def test_a_utilization_is_an_average_in_other_words(known: dict[str, int], target: int, percent: int) -> None:
    requests = dict.fromkeys(known, target)
    proposed = by_utilization(groups_of(known), len(known), percent, requests)
    assert proposed.utilization == sum(known.values()) * 100 // (target * len(known))
    assert proposed.average == sum(known.values()) // len(known)
    wanted = Fraction(proposed.utilization, percent)
    if not Tolerance().holds(wanted):
        assert proposed.replicas == math.ceil(wanted * len(known))


def test_nothing_measured_says_nothing() -> None:
    with pytest.raises(MetricError, match="did not receive metrics"):
        by_average(groups_of({}, frozenset({"a"})), 1, 100)


def test_an_own_tolerance() -> None:
    wide = Tolerance(up=Fraction(1, 2), down=Fraction(0))
    assert by_average(groups_of({"a": 140}), 1, 100, tolerance=wide).replicas == 1
    assert by_average(groups_of({"a": 98, "b": 40}), 2, 100, tolerance=wide).replicas == 2
    assert by_average(groups_of({"a": 49, "b": 40}), 2, 100, tolerance=wide).replicas == 1


def pod(
    name: str, *, ready: bool | None = True, age: float = 4000, turned: float = 3000, **more: Any
) -> dict[str, Any]:
    def written(seconds: float) -> str:
        return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    conditions = (
        [] if ready is None else [{"type": "Ready", "status": str(ready), "lastTransitionTime": written(turned)}]
    )
    status = {"phase": "Running", "startTime": written(age), "conditions": conditions, **more.pop("status", {})}
    requests = {"cpu": "100m"}
    spec = {"containers": [{"name": "c", "resources": {"requests": requests}}]}
    return {"metadata": {"name": name, **more.pop("metadata", {})}, "spec": spec, "status": status}


def where(found: Groups, name: str) -> str:
    places = {"measured": name in found.measured, "unready": name in found.unready, "missing": name in found.missing}
    return next((place for place, there in places.items() if there), "nowhere")


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (pod("p"), "measured"),
        (pod("p", status={"phase": "Pending"}), "unready"),
        (pod("p", status={"phase": "Failed"}), "nowhere"),
        (pod("p", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), "nowhere"),
        (pod("p", ready=None), "unready"),
        (pod("p", ready=False), "measured"),  # it served once: what it does now counts
        (pod("p", ready=False, age=4000, turned=3990), "unready"),  # it never did
        (pod("p", age=100, turned=90), "measured"),
        (pod("p", age=100, turned=20), "unready"),  # part of the window lies before it served
        (pod("p", ready=False, age=100, turned=90), "unready"),
    ],
)
def test_the_group_of_a_pod(one: dict[str, Any], expected: str) -> None:
    reading = Reading(amount=5, at=NOW, window=30)
    assert where(grouped([one], {"p": reading}, starting=True, clock=CLOCK), "p") == expected


def test_a_pod_without_a_reading_is_missing() -> None:
    assert where(grouped([pod("p")], {}, starting=True, clock=CLOCK), "p") == "missing"
    young = pod("p", ready=None)
    found = grouped([young], {"p": Reading(amount=5, at=NOW, window=30)}, starting=False, clock=CLOCK)
    assert where(found, "p") == "measured"  # memory is in use from the first moment


def test_what_pods_request() -> None:
    def amount(text: Any) -> int:
        return int(text.removesuffix("m"))

    assert requests_of([pod("p")], "cpu", "", amount) == {"p": 100}
    with pytest.raises(MetricError, match="missing request for memory in container c of Pod p"):
        requests_of([pod("p")], "memory", "", amount)
    with pytest.raises(MetricError, match="container d"):
        requests_of([pod("p")], "cpu", "d", amount)
