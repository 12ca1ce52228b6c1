"""One alert as Falco writes it: a JSON object a line, or (Falco's default) a line of text.

Sources of the formats: Falco's documentation of its outputs ("Falco Alerts", "JSON Output"), and lines of Falco 0.44.1.

A line of text holds no rule and no types, and part of it is the words of whoever is watched: a command line may contain
` k8s_ns_name=elsewhere`. What is parsed from text is marked as such, the priority counts only in its own place, and a key
that occurs twice has no value at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import msgspec

from aegis.falco.priority import Priority

LONGEST_LINE: Final = 1 << 20
"""Characters; what is longer is no alert."""

_INTERNAL: Final = "Falco internal: "
_DROPS: Final = ("Falco internal: syscall event drop", "Falco internal: timeouts notification")
_NANOSECONDS: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_AVAILABLE: Final = "<NA>"

_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?(Z|[+-]\d\d:?\d\d)",
    re.ASCII,
)
_TEXT: Final = re.compile(
    r"(?P<time>\d\d:\d\d:\d\d(?:\.\d{1,9})?|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)): "
    r"(?P<priority>[A-Za-z]{4,13}) (?P<output>\S.*)",
    re.ASCII | re.DOTALL,
)
_CLOCK: Final = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?: ", re.ASCII)
_KEY: Final = re.compile(r"(?:(?<=[\s(|])|^)([A-Za-z][A-Za-z0-9_.]{0,63}(?:\[[^\]\s=]{1,64}\])?)=", re.ASCII)

_FIELD_OF: Final[Mapping[str, str]] = {
    "command": "proc.cmdline",
    "container": "container.id",
    "container_id": "container.id",
    "container_image_repository": "container.image.repository",
    "container_image_tag": "container.image.tag",
    "container_name": "container.name",
    "evt_type": "evt.type",
    "file": "fd.name",
    "image": "container.image.repository",
    "k8s.ns": "k8s.ns.name",
    "k8s.pod": "k8s.pod.name",
    "k8s_ns": "k8s.ns.name",
    "k8s_ns_name": "k8s.ns.name",
    "k8s_pod": "k8s.pod.name",
    "k8s_pod_name": "k8s.pod.name",
    "parent": "proc.pname",
    "proc_exepath": "proc.exepath",
    "process": "proc.name",
    "user": "user.name",
    "user_uid": "user.uid",
}
"""What the default rules (5.1.0) and the `-pk` suffix call a field in their text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert.

    Attributes:
        rule: its name; for an alert of text, which does not hold it, empty (but for Falco's own, `Falco internal: …`).
        priority: how grave.
        output: the whole sentence, as it was written.
        source: `syscall`, `internal`, the name of a plug-in; empty where it is not said.
        hostname: of the node.
        tags: of the rule.
        time_ns: nanoseconds since 1970 of the event itself; None where the line does not give a date.
        fields: the output fields by their names; None for what Falco did not know.
        from_text: whether it was parsed from a line of text, and may be the words of whoever was watched.
        ambiguous: fields that occur more than once in a text: they have no value.
        document: the JSON object, nothing left out; empty for text.
    """

    rule: str
    priority: Priority
    output: str
    source: str = ""
    hostname: str = ""
    tags: tuple[str, ...] = ()
    time_ns: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    from_text: bool = False
    ambiguous: frozenset[str] = frozenset()
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def time(self) -> datetime | None:
        """When it happened, to the microsecond."""
        return None if self.time_ns is None else _EPOCH + timedelta(microseconds=self.time_ns // 1000)

    @property
    def clock_ns(self) -> int | None:
        """Nanoseconds since midnight, in Falco's own zone, of a text that gives no date; None for any other alert."""
        if not self.from_text or self.time_ns is not None:
            return None
        found = _CLOCK.match(self.output)
        if found is None:
            return None
        hours, minutes, seconds, fraction = found.groups()
        whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
        return whole * _NANOSECONDS + int((fraction or "0").ljust(9, "0"))

    @property
    def message(self) -> str:
        """What it says, without time, priority and fields."""
        found = _TEXT.fullmatch(self.output)
        return _message(found["output"] if found else self.output)

    @property
    def is_internal(self) -> bool:
        """Whether Falco speaks of itself."""
        return self.source == "internal" or self.rule.startswith(_INTERNAL)

    @property
    def tells_of_loss(self) -> bool:
        """Whether it says that Falco did not see everything."""
        return self.rule.startswith(_DROPS)

    def text(self, name: str) -> str:
        """A field as text; empty where it is missing, null or ambiguous."""
        value = self.fields.get(name)
        return "" if value is None or value == _NOT_AVAILABLE else str(value)


def parse_alert(line: str | bytes) -> Alert | None:
    """The alert that a line holds; None where it holds none. It never raises, whatever the bytes."""
    if len(line) > LONGEST_LINE:
        return None
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    text = text.strip("\r\n\t ")
    return _from_json(text) if text.startswith("{") else _from_text(text)


def looks_like_json(line: str) -> bool:
    """Whether a line was meant as JSON: one that is no alert then is a broken one, not Falco's chatter."""
    return line.lstrip().startswith("{")


def parse_moment(text: str) -> int | None:
    """Nanoseconds since 1970 of an RFC 3339 time (an offset without a colon is taken too); None for anything else."""
    found = _MOMENT.fullmatch(text)
    if not found:
        return None
    whole, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(whole + ("+00:00" if zone == "Z" else zone))
        seconds = int((moment - _EPOCH) / timedelta(seconds=1))
    except (ValueError, OverflowError):
        return None
    return seconds * _NANOSECONDS + int((fraction or "0").ljust(9, "0"))


def _from_json(text: str) -> Alert | None:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
        return None
    if not isinstance(document, dict):
        return None
    rule, output = document.get("rule"), document.get("output")
    priority = Priority.parse(str(document.get("priority")))
    fields = document.get("output_fields") or {}
    if not (isinstance(rule, str) and isinstance(output, str) and isinstance(fields, dict)) or priority is None:
        return None
    tags = document.get("tags")
    return Alert(
        rule=rule,
        priority=priority,
        output=output,
        source=_string(document.get("source")),
        hostname=_string(document.get("hostname")),
        tags=tuple(map(str, tags)) if isinstance(tags, list) else (),
        time_ns=parse_moment(_string(document.get("time"))),
        fields=MappingProxyType(fields),
        from_text=document.get("from_text") is True,  # kept or exported by this program
        ambiguous=_names(document.get("ambiguous")),
        document=MappingProxyType(document),
    )


def _from_text(text: str) -> Alert | None:
    found = _TEXT.fullmatch(text)
    priority = Priority.parse(found["priority"]) if found else None
    if found is None or priority is None:
        return None
    output = found["output"]
    fields, ambiguous = _fields(output)
    message = _message(output)
    internal = message.startswith(_INTERNAL)
    return Alert(
        rule=message.partition(".")[0] if internal else "",
        priority=priority,
        output=text,
        source="internal" if internal else "",
        time_ns=parse_moment(found["time"]),
        fields=MappingProxyType(fields),
        from_text=True,
        ambiguous=ambiguous,
    )


def _fields(output: str) -> tuple[dict[str, str | None], frozenset[str]]:
    """The `key=value` of a text: `message | k=v k=v` or `message (k=v k=v)`. A value goes on until the next key."""
    marks = list(_KEY.finditer(output))
    ends = [*(mark.start() for mark in marks[1:]), len(output)][: len(marks)]
    fields: dict[str, str | None] = {}
    twice = set()
    for mark, end in zip(marks, ends, strict=True):
        name = _FIELD_OF.get(mark[1], mark[1])
        value = output[mark.end() : end].strip()
        if name in fields:
            twice.add(name)
        fields[name] = None if value.rstrip(")") in {_NOT_AVAILABLE, ""} else value
    if marks and output.endswith(")"):
        last = _FIELD_OF.get(marks[-1][1], marks[-1][1])
        fields[last] = (fields[last] or "").removesuffix(")") or None
    return {name: value for name, value in fields.items() if name not in twice}, frozenset(twice)


def _message(output: str) -> str:
    """The sentence before the fields."""
    first = _KEY.search(output)
    return (output[: first.start()] if first else output).rstrip(" (|")


def _names(value: object) -> frozenset[str]:
    return frozenset(map(str, value)) if isinstance(value, list) else frozenset()


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
