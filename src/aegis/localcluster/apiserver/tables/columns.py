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
    for below, unit, then in _STEPS:
        if total < below:
            return _shown(total, unit, then)
    return _shown(total, "y", "")


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "y": 365 * 86_400}
_STEPS = (
    (2 * _SECONDS["m"], "s", ""),
    (10 * _SECONDS["m"], "m", "s"),
    (3 * _SECONDS["h"], "m", ""),
    (8 * _SECONDS["h"], "h", "m"),
    (48 * _SECONDS["h"], "h", ""),
    (8 * _SECONDS["d"], "d", "h"),
    (2 * _SECONDS["y"], "d", ""),
    (8 * _SECONDS["y"], "y", "d"),
)
"""Below how many seconds which unit is shown, and which smaller one with it."""


def _shown(total: int, unit: str, then: str) -> str:
    rest = total % _SECONDS[unit] // _SECONDS[then] if then else 0
    return f"{total // _SECONDS[unit]}{unit}" + (f"{rest}{then}" if rest else "")


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
