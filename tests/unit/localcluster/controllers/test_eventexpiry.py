"""Events do not stay for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aegis.localcluster.api import Object, Pace
from aegis.localcluster.controllers.eventexpiry import EventExpiry


def stamp(age: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%SZ")


def event(**times: Any) -> Object:
    involved = {"kind": "Pod", "name": "p", "namespace": "default"}
    return {"metadata": {"name": "e", "namespace": "default"}, "involvedObject": involved, "reason": "R", **times}


def test_a_young_event_is_looked_at_again_when_its_hour_is_over(cluster: Any) -> None:
    cluster.api.create("events", event(lastTimestamp=stamp(600)), manager="test")
    again = EventExpiry(cluster.api, Pace(scale=10)).sync(("default", "e"))
    assert again == pytest.approx(30_000, abs=50)
    assert cluster.api.get("events", "default", "e")


def test_an_old_event_goes(cluster: Any) -> None:
    cluster.api.create("events", event(lastTimestamp=stamp(3700)), manager="test")
    assert EventExpiry(cluster.api, Pace()).sync(("default", "e")) is None
    assert cluster.api.get("events", "default", "e") is None


def test_an_event_without_a_time_counts_from_its_creation(cluster: Any) -> None:
    cluster.api.create("events", event(), manager="test")
    assert EventExpiry(cluster.api, Pace()).sync(("default", "e")) == pytest.approx(3600, abs=5)
