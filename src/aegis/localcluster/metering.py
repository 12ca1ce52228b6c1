"""What pods use of processor and memory: sampled from the kubelet, kept as rates, as a metrics server does.

A node's usage is that of its pods: the nodes share one machine, whose other programs are none of theirs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aegis.localcluster.api import ClusterApi, ContainerUsage, Pace, PodUsage, UsageSource

RESOLUTION: Final = 15.0
"""Nominal seconds between two samples, as the metrics server of Kubernetes has it."""
_LEAST_WINDOW = 1.0
"""Real seconds: the kernel counts processor time in hundredths, so that shorter windows say little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one container had used by a moment.

    Attributes:
        at: seconds on a steady clock.
        cpu: seconds of processor time.
        memory: bytes in use.
    """

    at: float
    cpu: float
    memory: float


class Meter:
    """Samples every running pod, and tells what it used between the last two samples.

    Attributes:
        source: what is sampled; may be set at any time, and nothing is known before.
    """

    def __init__(self, api: ClusterApi, pace: Pace, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.source: UsageSource | None = None
        self._api, self._clock = api, clock
        self._interval = max(pace.real(RESOLUTION), _LEAST_WINDOW)
        self._samples: dict[str, dict[str, Sample]] = {}
        self._usages: dict[str, PodUsage] = {}

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            await self.sample()
            await asyncio.sleep(self._interval)

    def usage(self, pod_uid: str) -> PodUsage | None:
        """See `MetricsSource`."""
        return self._usages.get(pod_uid)

    async def sample(self) -> None:
        """Look at every running pod once."""
        if self.source is None:
            return
        uids = [p["metadata"]["uid"] for p in self._api.list("pods") if _runs(p.get("status") or {})]
        for uid in uids:
            found, at = await self.source.usage(uid), self._clock()
            now = {name: Sample(at=at, **used) for name, used in found.items()}
            usage = between(self._samples.get(uid, {}), now, datetime.now(UTC))
            self._samples[uid] = now
            if usage is not None:
                self._usages[uid] = usage
        self._forget_all_but(uids)

    def _forget_all_but(self, uids: Iterable[str]) -> None:
        kept = set(uids)
        for memory in (self._samples, self._usages):
            for uid in [u for u in memory if u not in kept]:
                del memory[uid]


def between(before: Mapping[str, Sample], after: Mapping[str, Sample], moment: datetime) -> PodUsage | None:
    """What a pod used between two samples, or None unless both have seen each container that runs."""
    if not after or any(name not in before for name in after):
        return None
    containers, window = {}, 0.0
    for name, new in after.items():
        old = before[name]
        window = new.at - old.at
        if window <= 0:
            return None
        spent = new.cpu - old.cpu if new.cpu >= old.cpu else new.cpu  # a container that was restarted counts anew
        containers[name] = ContainerUsage(cpu=spent / window, memory=int(new.memory))
    return PodUsage(at=moment, window=window, containers=containers)


def _runs(status: Mapping[str, object]) -> bool:
    return status.get("phase") == "Running"
