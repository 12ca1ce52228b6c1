"""How long something has been so, on this machine's own clock."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from datetime import UTC, datetime

from aegis.localcluster.controllers.objects import parsed_time

_REMEMBERED = 8192
_RESOLUTION = 1.5
"""Kubernetes writes whole seconds: a timestamp younger than this says nothing exact."""


class Ages:
    """Remembers when each fact was first seen.

    Timestamps are cut to whole seconds, which on a fast time scale is minutes. So a fact seen when it was fresh counts
    from that moment; one that is older already (after a restart) counts from its timestamp.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._clock, self._now = clock, now
        self._since: OrderedDict[Hashable, float] = OrderedDict()

    def of(self, fact: Hashable, written: str) -> float:
        """Real seconds since a fact is so.

        Args:
            fact: what identifies it; a new occurrence needs a new identity (so `written` belongs into it).
            written: its Kubernetes timestamp.
        """
        if fact not in self._since:
            age = (self._now() - parsed_time(written)).total_seconds()
            self._since[fact] = self._clock() - (age if age > _RESOLUTION else 0.0)
            if len(self._since) > _REMEMBERED:
                self._since.popitem(last=False)
        return self._clock() - self._since[fact]
