"""Events go an hour after they last happened, as the API server of a real cluster lets them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from aegis.localcluster.api import ClusterApi, Object, Pace, WatchEvent
from aegis.localcluster.controllers.objects import Key, key_of, parsed_time, uid_of

_LIFE = 3600.0
"""Real seconds: events are for people, who read at their own pace."""


class EventExpiry:
    """Deletes old Events, so that a cluster that runs for weeks does not grow."""

    name = "event-expiry"
    watches = ("events",)

    def __init__(self, api: ClusterApi, pace: Pace, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._api, self._pace, self._now = api, pace, now

    def keys(self, event: WatchEvent) -> Iterable[Key]:
        """The Event."""
        return [key_of(event.object)] if event.type != "DELETED" else []

    def sync(self, key: Key) -> float | None:
        """Delete it if its time is over, else look again when it is.

        Raises:
            ApiError: the deletion was refused.
        """
        event = self._api.get("events", *key)
        if event is None:
            return None
        left = _LIFE - (self._now() - parsed_time(_last(event))).total_seconds()
        if left > 0:
            return left * self._pace.scale
        self._api.delete("events", *key, uid=uid_of(event))
        return None


def _last(event: Object) -> str:
    """When an Event was last seen; one without a usable time counts from its creation."""
    created: str = event["metadata"]["creationTimestamp"]
    last = event.get("lastTimestamp") or event.get("eventTime") or created
    try:
        return last if parsed_time(last).tzinfo else created
    except ValueError:
        return created
