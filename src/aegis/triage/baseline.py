"""What a team knows to be ordinary, as data: which alerts it vouches for, why, and until when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any, Final, Literal, cast

import yaml

from aegis.errors import UsageError
from aegis.falco.alert import Alert
from aegis.falco.derived import is_altered, told_field
from aegis.triage.workloads import workload_of

Mend = Literal["image-bake", "exception"]

_MENDS: Final = ("image-bake", "exception")
_PATTERNS: Final = ("namespaces", "workloads", "images", "processes", "executables")
_KEYS: Final = frozenset({"rule", "because", "recurring", "mend", "owner", "expires", *_PATTERNS})
_FIELDS: Final[Mapping[str, str]] = {
    "namespaces": "k8s.ns.name",
    "images": "container.image.repository",
    "processes": "proc.name",
    "executables": "proc.exepath",
}
_LONGEST: Final = 1 << 20
_MOST_ENTRIES: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that is ordinary.

    Attributes:
        rule: whose alerts.
        because: why.
        namespaces: which, as globs; empty: any. So are workloads, images, processes and executables.
        recurring: whether it counts only for what happens again and again.
        mend: what is proposed first.
        owner: who answers for it; empty: nobody is named.
        expires: from when on it counts no more; None: never.
        origin: where it stands: `aegis`, or the team's file.
    """

    rule: str
    because: str
    namespaces: tuple[str, ...] = ()
    workloads: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    executables: tuple[str, ...] = ()
    recurring: bool = False
    mend: Mend = "exception"
    owner: str = ""
    expires: date | None = None
    origin: str = "aegis"

    def vouches_for(self, alert: Alert, today: date) -> bool:
        """Whether an alert is what this entry says is ordinary. A field that is not told, or altered, is none."""
        if alert.from_text or alert.rule != self.rule or (self.expires is not None and today >= self.expires):
            return False
        if self.workloads and not _is_one_of(workload_of(alert).name, self.workloads):
            return False
        return all(
            _is_one_of(told_field(alert.fields, name), patterns)
            for key, name in _FIELDS.items()
            if (patterns := getattr(self, key))
        )


def shipped() -> tuple[Entry, ...]:
    """The entries that come with AEGIS."""
    text = files("aegis.triage").joinpath("baseline.yaml").read_text(encoding="utf-8")
    return read(text, "aegis", is_own=False)


def read(text: str, origin: str, *, is_own: bool = True) -> tuple[Entry, ...]:
    """The entries of a file.

    Args:
        text: YAML: `baseline:` and a list, or the list alone.
        origin: its name, for the report and for errors.
        is_own: whether a team wrote it: then each entry has to be scoped.

    Raises:
        UsageError: if it is no baseline, or an entry would vouch for too much.
    """
    if len(text) > _LONGEST:
        raise UsageError(f"{origin} is longer than {_LONGEST >> 20} MiB")
    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - it is the safe one
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"{origin} is no YAML: {' '.join(str(error).split())[:200]}") from error
    rows = document.get("baseline") if isinstance(document, dict) else document
    if rows is None:
        return ()
    if not isinstance(rows, list) or len(rows) > _MOST_ENTRIES:
        raise UsageError(f"{origin} is no baseline", hint="It is `baseline:` and a list of entries.")
    return tuple(_entry(row, f"{origin}: entry {place}", origin, is_own=is_own) for place, row in enumerate(rows, 1))


def vouching(entries: Iterable[Entry], alert: Alert, today: date) -> Entry | None:
    """The entry that vouches for an alert: a team's own before one of AEGIS."""
    found = [entry for entry in entries if entry.vouches_for(alert, today)]
    return min(found, key=lambda one: one.origin == "aegis", default=None)


def expired(entries: Iterable[Entry], today: date) -> tuple[Entry, ...]:
    """The entries whose time is over."""
    return tuple(entry for entry in entries if entry.expires is not None and today >= entry.expires)


def _entry(row: Any, where: str, origin: str, *, is_own: bool) -> Entry:
    if not isinstance(row, dict):
        raise UsageError(f"{where} is no mapping")
    unknown = sorted(map(str, set(row) - _KEYS))
    if unknown:
        raise UsageError(f"{where}: unknown key {unknown[0]!r}", hint=f"Keys are {', '.join(sorted(_KEYS))}.")
    for key in ("rule", "because"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise UsageError(f"{where}: {key} is missing")
    patterns = {key: _globs(row.get(key), f"{where}: {key}") for key in _PATTERNS}
    if is_own:
        _check_scope(patterns, where)
    mend = row.get("mend", "exception")
    if mend not in _MENDS:
        raise UsageError(f"{where}: mend is {mend!r}", hint=f"It is one of {', '.join(_MENDS)}.")
    recurring = row.get("recurring", False)
    if not isinstance(recurring, bool):
        raise UsageError(f"{where}: recurring is neither true nor false")
    return Entry(
        rule=row["rule"],
        because=" ".join(row["because"].split()),
        recurring=recurring,
        mend=cast("Mend", mend),
        owner=" ".join(str(row.get("owner") or "").split()),
        expires=_date(row.get("expires"), where),
        origin=origin,
        **patterns,
    )


def _check_scope(patterns: Mapping[str, Sequence[str]], where: str) -> None:
    for names in (("namespaces", "images"), ("processes", "executables")):
        found = [pattern for name in names for pattern in patterns[name]]
        if not found or all(not pattern.strip("*?[]!/") for pattern in found):
            raise UsageError(f"{where}: it vouches for too much", hint=f"Name {' or '.join(names)}.")


def _globs(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one for one in value):
        raise UsageError(f"{where} is no list of patterns")
    return tuple(value)


def _date(value: Any, where: str) -> date | None:
    if value is None or type(value) is date:
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise UsageError(f"{where}: expires is {str(value)[:40]!r}", hint="Write it as 2027-01-31.") from None


def _is_one_of(value: Any, patterns: Sequence[str]) -> bool:
    if not isinstance(value, str) or not value or is_altered(value):
        return False
    return any(fnmatchcase(value, pattern) for pattern in patterns)
