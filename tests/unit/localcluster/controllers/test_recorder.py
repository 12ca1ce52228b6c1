"""Events are counted, combined, and never the reason why a controller fails."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.localcluster.controllers.recorder import Recorder
from aegis.localcluster.status import ApiError


@pytest.fixture
def subject(cluster: Any) -> Any:
    return cluster.api.create("configmaps", {"metadata": {"name": "x", "namespace": "default"}}, manager="test")


def events(cluster: Any) -> dict[str, int]:
    return {e["message"]: e["count"] for e in cluster.api.list("events", "default")}


def test_the_same_again_counts_up(cluster: Any, subject: Any) -> None:
    recorder = Recorder(cluster.api, "me")
    for _ in range(3):
        recorder.warning(subject, "Odd", "it is odd")
    recorder.normal(subject, "Odd", "it is odd")
    (first, second) = cluster.api.list("events", "default")
    assert sorted((e["type"], e["count"]) for e in (first, second)) == [("Normal", 1), ("Warning", 3)]
    assert first["involvedObject"]["uid"] == subject["metadata"]["uid"]
    assert first["source"] == {"component": "me"}


def test_many_that_differ_only_in_text_become_one(cluster: Any, subject: Any) -> None:
    recorder = Recorder(cluster.api, "me")
    for number in range(25):
        recorder.warning(subject, "Odd", f"odd {number}")
    found = events(cluster)
    assert len(found) == 11
    assert found["(combined from similar events): odd 24"] == 15


def test_an_event_that_was_deleted_is_written_anew(cluster: Any, subject: Any) -> None:
    recorder = Recorder(cluster.api, "me")
    recorder.normal(subject, "Odd", "odd")
    (event,) = cluster.api.list("events", "default")
    cluster.api.delete("events", "default", event["metadata"]["name"])
    recorder.normal(subject, "Odd", "odd")
    assert events(cluster) == {"odd": 1}


@pytest.mark.parametrize(("code", "loud"), [(403, False), (404, False), (422, True)])
def test_only_a_namespace_that_is_going_is_excused(
    cluster: Any, subject: Any, monkeypatch: pytest.MonkeyPatch, code: int, loud: bool
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ApiError(code, "No", "no")

    monkeypatch.setattr(cluster.api, "create", refuse)
    recorder = Recorder(cluster.api, "me")
    if loud:
        with pytest.raises(ApiError):
            recorder.normal(subject, "Odd", "odd")
    else:
        recorder.normal(subject, "Odd", "odd")
    assert events(cluster) == {}
