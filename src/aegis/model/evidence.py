"""What was observed. Evidence never instructs: it is data, bounded and redacted where it is collected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from aegis.model.refs import Json, ObjectRef


class Tier(IntEnum):
    """How hard it is to forge, the hardest first; a lower tier never overrules a higher one."""

    STATUS = 1
    """The API server's own record: specifications, statuses."""
    EVENT = 2
    """Events whose source component is the kubelet, the scheduler or a controller."""
    METRIC = 3
    LOG = 4
    """What a program wrote about itself: it authorises nothing alone."""
    ANNOTATION = 5
    """What anybody may have typed: annotations, events of unknown sources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One observation.

    Attributes:
        id: stable within an analysis, as `e3`; what a diagnosis cites.
        source: what kind of observation: `object`, `event`, `log`, `log-previous`, `metric`, `alert`, `note`.
        tier: how far to trust it.
        subject: what it is about; for a log the pod (the container is in the payload).
        observed_at: when it was true (not when it was read); None where unknown.
        summary: one line for a person.
        payload: `object`: the object itself; `event`: the Event; `log`, `log-previous`:
            `{"container": str, "lines": [str, …]}`; `metric`: `{"name", "labels", "value"}`; `alert`, `note`: as received.
    """

    id: str
    source: str
    tier: Tier
    subject: ObjectRef
    observed_at: datetime | None
    summary: str
    payload: Json
