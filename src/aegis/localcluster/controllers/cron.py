"""When a cron schedule is due: five fields, a name like `@hourly`, or `@every 1h30m`. Pure.

Where both the day of the month and the day of the week are restricted, either is enough, as in cron(5). A time that a
zone skips (summer time begins) does not occur.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES: tuple[Mapping[str, int], ...] = (
    {}, {}, {}, {n: i for i, n in enumerate(_MONTHS, 1)}, {n: i for i, n in enumerate(_DAYS)},
)  # fmt: skip
_MACROS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_HORIZON = 5 * 366
"""Days that are looked through; 29 February comes within them, but for a century's turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """A fixed distance from the last time."""

    distance: timedelta

    def after(self, moment: datetime) -> datetime | None:
        """The first time after a moment."""
        return moment + self.distance

    def latest(self, since: datetime, now: datetime) -> datetime | None:
        """The last time after `since` that is not after `now`, or None."""
        count = (now - since) // self.distance
        return since + count * self.distance if count > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Minutes, hours, days and months of a time zone."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    zone: tzinfo

    def after(self, moment: datetime) -> datetime | None:
        """The first time after a moment; None if there is none within years."""
        first = moment.astimezone(self.zone).date()
        for offset in range(_HORIZON):
            for due in self._times(first + timedelta(days=offset)):
                if due > moment:
                    return due
        return None

    def latest(self, since: datetime, now: datetime) -> datetime | None:
        """The last time after `since` that is not after `now`, or None."""
        last, first = now.astimezone(self.zone).date(), since.astimezone(self.zone).date()
        for offset in range(min((last - first).days + 1, _HORIZON)):
            for due in reversed(list(self._times(last - timedelta(days=offset)))):
                if since < due <= now:
                    return due
        return None

    def _times(self, day: date) -> Iterator[datetime]:
        if not self._includes(day):
            return
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                local = datetime.combine(day, time(hour, minute), self.zone)
                due = local.astimezone(UTC)
                if due.astimezone(self.zone).replace(tzinfo=None) == local.replace(tzinfo=None):
                    yield due

    def _includes(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either_day else by_date and by_weekday


Schedule = Every | Fields


def parsed(text: str, zone: tzinfo = UTC) -> Schedule:
    """Read a schedule.

    Raises:
        ValueError: it is none.
    """
    if text.startswith("@every "):
        seconds = sum(float(n) * _UNITS[u] for n, u in _AMOUNT.findall(text))
        return Every(distance=timedelta(seconds=max(1, int(seconds))))
    fields = _MACROS.get(text, text).split()
    if len(fields) != len(_RANGES):
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}")
    sets = [_field(f, i) for i, f in enumerate(fields)]
    free = [any(p in {"*", "?", "*/1"} for p in f.split(",")) for f in fields]
    return Fields(
        minutes=sets[0],
        hours=sets[1],
        days=sets[2],
        months=sets[3],
        weekdays=sets[4],
        either_day=not free[2] and not free[4],
        zone=zone,
    )


def _field(text: str, position: int) -> frozenset[int]:
    return frozenset(n for part in text.lower().split(",") for n in _part(part, position))


def _part(text: str, position: int) -> range:
    span, _, step = text.partition("/")
    low, high = _RANGES[position]
    if span in {"*", "?"}:
        return range(low, high + 1, int(step or 1))
    first, dash, last = (s.strip() for s in span.partition("-"))
    start = _value(first, position)
    end = _value(last, position) if dash else high if step else start
    if not low <= start <= end <= high:
        raise ValueError(f"{text!r} is out of range")
    return range(start, end + 1, int(step or 1))


def _value(text: str, position: int) -> int:
    known = _NAMES[position].get(text)
    return known if known is not None else int(text)
