"""Cron schedules: five fields, or a name like `@hourly`.

```
field = part ( "," part )*
part  = ( "*" | "?" | value [ "-" value ] ) [ "/" step ]
```
"""

from __future__ import annotations

import re

_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = {m: n for n, m in enumerate(_MONTH_NAMES, start=1)}
_DAYS = {d: n for n, d in enumerate(_DAY_NAMES)}
_NAMES = (None, None, None, _MONTHS, _DAYS)
_MACROS = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_PART = re.compile(r"(\*|\?|\w+(?:-\w+)?)(?:/(\d+))?")
_EVERY = re.compile(r"@every (\d+(\.\d+)?(ns|us|ms|s|m|h))+")


def schedule_fault(text: str) -> str | None:
    """What is wrong with a schedule, or None."""
    if "TZ=" in text:
        return "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
    if text in _MACROS or _EVERY.fullmatch(text):
        return None
    fields = text.split()
    if len(fields) != len(_RANGES):
        return f"expected exactly 5 fields, found {len(fields)}: {fields}"
    for field, bounds, names in zip(fields, _RANGES, _NAMES, strict=True):
        for part in field.split(","):
            if not _fits(part, bounds, names or {}):
                return f"failed to parse {part!r} in {text!r}"
    return None


def _fits(part: str, bounds: tuple[int, int], names: dict[str, int]) -> bool:
    match = _PART.fullmatch(part.lower())
    if match is None or match.group(2) == "0":
        return False
    span = match.group(1)
    if span in {"*", "?"}:
        return True
    ends = [names.get(v, int(v) if v.isdigit() else -1) for v in span.split("-")]
    return all(bounds[0] <= e <= bounds[1] for e in ends) and ends == sorted(ends)
