"""Files of waivers, and OpenVEX documents.

```yaml
waivers:
  - id: CVE-2023-45853                 # of the rule or vulnerability, or one of its aliases; no patterns
    purls: [pkg:deb/debian/zlib1g]     # optional: only in these packages; with a version only in that one
    paths: [deploy/*.yaml, Deployment/web]   # optional: only in these files, objects, images or places
    owner: ana@example.com
    reason: MiniZip is not built into the package.
    expires: 2026-12-31                # that day still counts; or a moment, 2026-12-31T12:00:00Z
```

In `paths`, `*` and `?` stand for what they do in a shell. Of an OpenVEX document (JSON) what it says is `not_affected` or
`fixed` is waived, in the products that it names.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from aegis.errors import UsageError
from aegis.security import openvex, strict_yaml
from aegis.security.waivers import Waiver, refuse

_KEYS = frozenset({"id", "purls", "paths", "owner", "reason", "expires"})
_MOST = 10_000


def load(path: Path) -> tuple[Waiver, ...]:
    """Read one.

    Raises:
        UsageError: if it cannot be read, or is neither form.
    """
    try:
        with path.open("rb") as file:
            data = file.read(strict_yaml.BYTES_LIMIT + 1)
    except OSError as error:
        raise UsageError(f"cannot read the waivers in {path}: {error.strerror}") from error
    return parse(data, source=str(path))


def parse(data: bytes, *, source: str) -> tuple[Waiver, ...]:
    """Read a file of waivers, or an OpenVEX document.

    Raises:
        UsageError: if it is neither, or a waiver lacks its owner, reason or expiry.
    """
    documents = [node.plain() for node in strict_yaml.read(data, source=source)]
    if len(documents) != 1:
        raise UsageError(f"{source}: {len(documents)} documents instead of one", hint="Give one list of waivers.")
    (document,) = documents
    if isinstance(document, dict) and "@context" in document:
        return openvex.statements(document, source=source)
    entries = document.get("waivers") if isinstance(document, dict) and set(document) == {"waivers"} else document
    if entries is None:
        return ()
    if not isinstance(entries, list) or len(entries) > _MOST:
        refuse(source, f"no list of waivers of at most {_MOST}")
    return tuple(_waiver(entry, f"{source}: waiver {number}") for number, entry in enumerate(entries, 1))


def _waiver(entry: Any, where: str) -> Waiver:
    if not isinstance(entry, dict):
        refuse(where, "it is no mapping")
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        refuse(where, f"{', '.join(unknown)} is not known; known are {', '.join(sorted(_KEYS))}")
    name = _word(entry, "id", where)
    if any(letter in name for letter in "*?[ "):
        refuse(where, f"the id {name!r} is a pattern; name one rule or vulnerability")
    return Waiver(
        id=name,
        ids=frozenset({name.upper()}),
        purls=_words(entry, "purls", where),
        paths=_words(entry, "paths", where),
        owner=_word(entry, "owner", where),
        reason=_word(entry, "reason", where),
        expires=_moment(_word(entry, "expires", where), where),
    )


def _word(entry: dict[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        refuse(where, f"it has no {key}")
    return value.strip()


def _words(entry: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        refuse(where, f"{key} is no list of words")
    if key in entry and not value:
        refuse(where, f"{key} is empty: nothing could match; leave it out to mean any")
    return tuple(value)


def _moment(text: str, where: str) -> datetime:
    """The moment from which on it does not hold: the end of a day in UTC, or a moment with its zone."""
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC) + timedelta(days=1)
    except ValueError:
        pass
    except OverflowError:
        refuse(where, f"expires: {text} is no day that ends")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        refuse(where, f"expires: {text!r} is no date (2026-12-31) and no moment (2026-12-31T12:00:00Z)")
    if moment.tzinfo is None:
        refuse(where, f"expires: {text} has no time zone; end it in Z")
    return moment.astimezone(UTC)
