"""A work queue by key: what is asked for twice is done once, and what failed is tried again later."""

from __future__ import annotations

import asyncio

from aegis.localcluster.api import Pace
from aegis.localcluster.controllers.objects import Key

_FIRST_RETRY, _LONGEST_RETRY = 0.05, 60.0
"""Nominal seconds. A real controller starts at 5 ms and ends at 1,000 s, which nobody waits for here."""
_LEAST_REAL_RETRY = 0.02


class WorkQueue:
    """Keys that wait for the one worker of a controller."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._ready: dict[Key, None] = {}
        self._later: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._wake = asyncio.Event()

    def add(self, key: Key) -> None:
        """Have a key looked at soon."""
        self._ready[key] = None
        self._wake.set()

    def add_after(self, key: Key, seconds: float) -> None:
        """Have a key looked at after so many nominal seconds, or earlier where that was asked already."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._pace.real(seconds)
        known = self._later.get(key)
        if known is not None and known.when() <= due:
            return
        if known is not None:
            known.cancel()
        self._later[key] = loop.call_at(due, self._due, key)

    def retry(self, key: Key) -> float:
        """Have a key looked at after its back-off, which doubles with each failure; the nominal seconds of it."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        nominal = min(_FIRST_RETRY * 2.0 ** min(failures, 20), _LONGEST_RETRY)
        delay = max(nominal, _LEAST_REAL_RETRY * self._pace.scale)
        self.add_after(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        """End the back-off of a key that succeeded."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """The next key, waiting for one."""
        while not self._ready:
            self._wake.clear()
            await self._wake.wait()
        key = next(iter(self._ready))
        del self._ready[key]
        return key

    def close(self) -> None:
        """Drop what waits for its time."""
        for handle in self._later.values():
            handle.cancel()
        self._later.clear()

    def _due(self, key: Key) -> None:
        self._later.pop(key, None)
        self.add(key)
