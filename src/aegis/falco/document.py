"""One alert as one JSON object with Falco's own names, whichever way it came: what is kept, printed and read again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from aegis.falco.alert import Alert

_SECOND = 1_000_000_000


def to_document(alert: Alert) -> dict[str, Any]:
    """The alert as Falco writes it; what was parsed from text says so, and reading it again gives an equal alert."""
    if alert.document and alert.document.get("time"):
        return dict(alert.document)
    document: dict[str, Any] = {
        "hostname": alert.hostname,
        "output": alert.output,
        "output_fields": dict(alert.fields),
        "priority": alert.priority.word,
        "rule": alert.rule,
        "source": alert.source,
        "tags": list(alert.tags),
    }
    document |= alert.document
    if alert.time_ns is not None:
        document["time"] = moment_text(alert.time_ns)
    if alert.from_text:
        document |= {"from_text": True, "ambiguous": sorted(alert.ambiguous)}
    return document


def encoded(alert: Alert) -> bytes:
    """The same as one line of JSON."""
    return msgspec.json.encode(to_document(alert))


def moment_text(at_ns: int) -> str:
    """Nanoseconds since 1970 as RFC 3339 with all nine digits, as Falco writes a time."""
    seconds, rest = divmod(at_ns, _SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
