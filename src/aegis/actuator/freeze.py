"""Times in which production is left alone: weekly, daily, or once, in the wall time of a zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aegis.errors import UsageError

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTES: Final = {"daily": 24 * 60, "weekly": 7 * 24 * 60, "once": 0}
_FORMAT: Final = re.compile(
    r"(?P<day>[A-Za-z]{3,9}|\d{4}-\d\d-\d\d)?[ T]?(?P<time>\d\d:\d\d) *- *"
    r"(?P<end_day>[A-Za-z]{3,9}|\d{4}-\d\d-\d\d)?[ T]?(?P<end_time>\d\d:\d\d) +(?P<zone>[A-Za-z0-9_+/-]+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeWindow:
    """One window; read from text by `parse`.

    Attributes:
        text: as it was written.
        zone: in whose wall time it is meant.
        every: `daily`, `weekly` or `once`.
        start: the first minute: of the day, of the week (Monday 00:00 is 0), or an ISO date and time.
        end: the minute after the last.
    """

    text: str
    zone: tzinfo
    every: str
    start: int | datetime
    end: int | datetime

    @classmethod
    def parse(cls, text: str) -> FreezeWindow:
        """Read `22:00 - 06:00 ZONE`, `Fri 16:00 - Mon 08:00 ZONE` or `2026-12-20 00:00 - 2027-01-02 00:00 ZONE`.

        Args:
            text: with a zone of the IANA database, as `Europe/Berlin`.

        Raises:
            UsageError: if it is none of these, or the zone is not known here.
        """
        match = _FORMAT.fullmatch(text.strip())
        if match is None:
            raise UsageError(
                f"not a freeze window: {text!r}", hint="Write it as `Fri 16:00 - Mon 08:00 Europe/Berlin`."
            )
        zone = _zone(match["zone"])
        every = _every(match["day"], match["end_day"])
        try:
            start, end = (
                _moment(every, match["day"], match["time"], zone),
                _moment(every, match["end_day"], match["end_time"], zone),
            )
        except ValueError as error:
            raise UsageError(f"not a freeze window: {text!r}: {error}") from error
        if every == "once" and not start < end:  # type: ignore[operator]  # both are times then
            raise UsageError(f"not a freeze window: {text!r}: it ends before it begins")
        return cls(text=text.strip(), zone=zone, every=every, start=start, end=end)

    def covers(self, now: datetime) -> bool:
        """Whether a moment (aware) lies within; a window whose end stands before its start goes over the turn."""
        if isinstance(self.start, datetime) and isinstance(self.end, datetime):
            return self.start <= now < self.end
        assert isinstance(self.start, int)  # noqa: S101  (both are of one form)
        assert isinstance(self.end, int)  # noqa: S101
        local = now.astimezone(self.zone)
        minute = local.hour * 60 + local.minute + (local.weekday() * 24 * 60 if self.every == "weekly" else 0)
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def _zone(name: str) -> tzinfo:
    if name.upper() in {"UTC", "Z"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            f"unknown time zone {name!r}", hint="Use a name of the IANA database, as Europe/Berlin."
        ) from error


def _every(day: str | None, end_day: str | None) -> str:
    match (day or "")[:1].isdigit(), bool(day), bool(end_day):
        case _, False, False:
            return "daily"
        case False, True, True:
            return "weekly"
        case True, True, True:
            return "once"
        case _:
            raise UsageError(f"not a freeze window: a day stands on one side only ({day or end_day})")


def _moment(every: str, day: str | None, time: str, zone: tzinfo) -> int | datetime:
    hour, minute = int(time[:2]), int(time[3:])
    if hour > 24 or minute > 59 or (hour == 24 and minute):  # noqa: PLR2004
        raise ValueError(f"{time} is no time")
    if every == "once":
        return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=zone)
    minutes = hour * 60 + minute
    if every == "daily":
        return minutes
    short = (day or "").lower()[:3]
    if short not in _DAYS:
        raise ValueError(f"{day} is no day of the week")
    return _DAYS.index(short) * 24 * 60 + minutes
