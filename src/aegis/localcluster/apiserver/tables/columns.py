"""What a column is, and what many columns share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aegis.localcluster.apiserver.objects import now

Cell = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading and the function from an object to its cell; priority 1 shows with `-o wide` only."""

    name: str
    cell: Cell
    type: str = "string"
    priority: int = 0
    format: str = ""
    description: str = ""


def age(obj: Mapping[str, Any]) -> str:
    """How old an object is."""
    return since(obj["metadata"].get("creationTimestamp"))


def since(moment: str | None) -> str:
    """The time since a timestamp, in the two largest units as kubectl writes them."""
    if not moment:
        return "<unknown>"
    return duration((now() - datetime.fromisoformat(moment)).total_seconds())


def duration(seconds: float) -> str:
    """`45s`, `3m20s`, `25m`, `5h12m`, `30h`, `3d4h`, `400d`, as apimachinery's HumanDuration."""
    total = max(0, int(seconds))
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if total < 120:  # noqa: PLR2004 - the steps of HumanDuration
        return f"{total}s"
    if minutes < 10:  # noqa: PLR2004
        return _two(minutes, "m", total % 60, "s")
    if hours < 3:  # noqa: PLR2004
        return f"{minutes}m"
    if hours < 8:  # noqa: PLR2004
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:  # noqa: PLR2004
        return f"{hours}h"
    if days < 8:  # noqa: PLR2004
        return _two(days, "d", hours % 24, "h")
    if days < 730:  # noqa: PLR2004
        return f"{days}d"
    return _two(days // 365, "y", days % 365, "d")


def _two(first: int, unit: str, second: int, smaller: str) -> str:
    return f"{first}{unit}{second}{smaller}" if second else f"{first}{unit}"


NONE = "<none>"
NAME = Column("Name", lambda o: o["metadata"]["name"], format="name")
AGE = Column("Age", age)


def counted(part: str, field: str) -> Cell:
    """A cell that shows a number of the spec or the status; an absent one is 0."""
    return lambda obj: (obj.get(part) or {}).get(field) or 0


def condition(obj: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """The status condition of a type, or None."""
    conditions: Iterable[Mapping[str, Any]] = (obj.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind), None)


def labels_text(labels: Mapping[str, Any] | None) -> str:
    """`a=b,c=d`, or `<none>`."""
    return ",".join(f"{k}={v}" for k, v in sorted((labels or {}).items())) or NONE
