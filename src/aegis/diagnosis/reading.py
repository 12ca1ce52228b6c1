"""Reading JSON that may have any shape: what is not as the API documents it reads as empty."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from aegis.kube.quantity import QuantityError, parse_quantity
from aegis.model.refs import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The time the evidence speaks of.

    Attributes:
        as_of: the newest time that it knows.
        scale: how many times faster the cluster's delays and back-offs pass; its timestamps are real, and so is the
            time that a program takes to start.
    """

    as_of: datetime
    scale: float = 1.0

    def since(self, moment: datetime) -> timedelta:
        """Nominal time gone by since: what the delays of Kubernetes are compared with."""
        return (self.as_of - moment) * self.scale

    def really_since(self, moment: datetime) -> timedelta:
        """Real time gone by since: what a program has had to start."""
        return self.as_of - moment


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[dict[str, Any]]:
    """The objects of a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: Any) -> str:
    """The value if it is text, else the empty text."""
    return value if isinstance(value, str) else ""


def number(value: Any) -> int:
    """The value if it is a whole number, else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def at(obj: Any, *path: str) -> Any:
    """What lies at a path of keys; None where nothing does."""
    found = obj
    for key in path:
        found = mapping(found).get(key)
    return found


def condition(obj: Json, kind: str) -> dict[str, Any]:
    """The status condition of a type; empty where there is none."""
    return next((c for c in items(at(obj, "status", "conditions")) if c.get("type") == kind), {})


def quantity(value: Any) -> Decimal | None:
    """A resource quantity, or None where it is none."""
    if value is None:
        return None
    try:
        return parse_quantity(value)
    except QuantityError:
        return None


def time_of(value: Any) -> datetime | None:
    """An RFC 3339 time as the API writes it, or None."""
    if not isinstance(value, str) or not value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def event_time(event: Json) -> datetime | None:
    """When an Event was last seen."""
    for value in (
        at(event, "series", "lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event.get("firstTimestamp"),
        at(event, "metadata", "creationTimestamp"),
    ):
        if found := time_of(value):
            return found
    return None
