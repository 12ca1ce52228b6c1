"""Rates from samples."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from aegis.localcluster.api import Pace
from aegis.localcluster.apiserver.server import ApiServer
from aegis.localcluster.metering import Meter, Sample, between

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def sample(at: float, cpu: float, memory: float = 100) -> Sample:
    return Sample(at=at, cpu=cpu, memory=memory)


def test_processor_time_becomes_cores() -> None:
    found = between({"a": sample(10, 1), "b": sample(10, 5)}, {"a": sample(14, 3), "b": sample(14, 5, 200)}, NOW)
    assert found is not None
    assert (found.window, found.at) == (4, NOW)
    assert {n: (u.cpu, u.memory) for n, u in found.containers.items()} == {"a": (0.5, 100), "b": (0.0, 200)}


def test_a_restarted_container_counts_from_its_start() -> None:
    found = between({"a": sample(10, 9)}, {"a": sample(12, 1)}, NOW)
    assert found is not None
    assert found.containers["a"].cpu == 0.5


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, {}), ({}, {"a": sample(1, 1)}), ({"a": sample(1, 1)}, {}), ({"a": sample(1, 1)}, {"a": sample(1, 1)})],
)
def test_one_look_says_nothing(before: Mapping[str, Sample], after: Mapping[str, Sample]) -> None:
    assert between(before, after, NOW) is None


class Source:
    """A kubelet whose one container uses half a core."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    async def usage(self, pod_uid: str) -> Mapping[str, Mapping[str, float]]:
        assert pod_uid
        return {"c": {"cpu": self.now / 2, "memory": 4096}}


async def test_pods_are_known_while_they_run(pod: dict[str, Any]) -> None:
    api, source = ApiServer().api, Source()
    meter = Meter(api, Pace(), clock=source.clock)
    made = api.create("pods", {**pod, "status": {"phase": "Running"}}, manager="test")
    await meter.sample()
    assert meter.usage(made["metadata"]["uid"]) is None
    meter.source = source
    for source.now in (1.0, 3.0):
        await meter.sample()
    used = meter.usage(made["metadata"]["uid"])
    assert used is not None
    assert used.containers["c"].cpu == 0.5
    api.update_status(
        "pods",
        {**made, "metadata": {**made["metadata"], "resourceVersion": None}, "status": {"phase": "Succeeded"}},
        manager="test",
    )
    await meter.sample()
    assert meter.usage(made["metadata"]["uid"]) is None


@pytest.fixture
def pod() -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]},
    }
