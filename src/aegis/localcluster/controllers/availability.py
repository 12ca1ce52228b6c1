"""Since when pods are ready: a pod is available once it has been ready for `minReadySeconds`."""

from __future__ import annotations

import math

from aegis.localcluster.api import Object, Pace
from aegis.localcluster.controllers.ages import Ages
from aegis.localcluster.controllers.objects import condition, is_active, is_ready, uid_of


class Availability:
    """Tells the available pods of one controller."""

    def __init__(self, pace: Pace) -> None:
        self._pace, self._ages = pace, Ages()

    def left(self, pod: Object, least: float) -> float:
        """Nominal seconds until a pod is available: 0 if it is, infinite while it is not ready.

        Args:
            pod: a pod.
            least: the `minReadySeconds` of its owner.
        """
        if not is_active(pod) or not is_ready(pod):
            return math.inf
        turned = (condition(pod, "Ready") or {}).get("lastTransitionTime") or pod["metadata"]["creationTimestamp"]
        return max(0.0, least - self._ages.of((uid_of(pod), turned), turned) * self._pace.scale) if least else 0.0

    def again(self, left: float) -> float | None:
        """When to look again at what is available in so many nominal seconds: a little later than then."""
        return left + 0.01 * self._pace.scale if 0 < left < math.inf else None
