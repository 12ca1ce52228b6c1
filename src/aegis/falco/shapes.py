"""Alerts as log services give them back: labels, and a line that is JSON, or text, or was taken apart into fields.

falcosidekick gives Loki and VictoriaLogs the labels `rule, source, priority, hostname, tags, k8s_ns_name, k8s_pod_name` and
as the line Falco's sentence: then the output fields are lost but for what the sentence holds, which is the words of whoever
was watched. With `loki.format=json` the line is the whole alert, which VictoriaLogs flattens to `output_fields.k8s.ns.name`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from aegis.falco.alert import Alert, looks_like_json, parse_alert, parse_moment
from aegis.falco.fields import catalogue
from aegis.falco.priority import Priority

_PREFIX: Final = "output_fields."
_LABELS: Final[Mapping[str, str]] = {
    "k8s_ns_name": "k8s.ns.name",
    "k8s_pod_name": "k8s.pod.name",
    "k8s_ns": "k8s.ns.name",
    "k8s_pod": "k8s.pod.name",
}
_NOTHING: Final = frozenset({"", "<NA>"})
_WRITTEN_AS_NUMBERS: Final = frozenset({"evt.time", "evt.time.iso8601"})
"""Text by the catalogue, nanoseconds since 1970 in Falco's JSON."""
_WHOLE: Final = re.compile(r"-?\d{1,20}", re.ASCII)


def alert_of(labels: Mapping[str, Any], line: str, at_ns: int | None) -> Alert | None:
    """The alert that an entry of a log service holds; None where it holds none.

    Args:
        labels: of the entry, or its fields.
        line: its message.
        at_ns: when the service says that it happened, nanoseconds since 1970; an alert's own time goes before it.
    """
    if looks_like_json(line):
        return _dated(parse_alert(line), at_ns)
    told = {name.removeprefix(_PREFIX): value for name, value in labels.items() if name.startswith(_PREFIX)}
    if told:
        return _dated(_flattened(labels, told, line), at_ns)
    return _dated(_labelled(labels, line), at_ns)


def _dated(alert: Alert | None, at_ns: int | None) -> Alert | None:
    return alert if alert is None or alert.time_ns is not None else replace(alert, time_ns=at_ns)


def _flattened(labels: Mapping[str, Any], told: Mapping[str, Any], line: str) -> Alert | None:
    priority = Priority.parse(_text(labels, "priority"))
    if priority is None or not _text(labels, "rule"):
        return None
    fields = {name: _typed(name, value) for name, value in told.items()}
    return Alert(
        rule=_text(labels, "rule"),
        priority=priority,
        output=_text(labels, "output") or line,
        source=_text(labels, "source"),
        hostname=_text(labels, "hostname"),
        tags=_tags(labels.get("tags")),
        time_ns=parse_moment(_text(labels, "time")),
        fields=MappingProxyType(fields),
    )


def _labelled(labels: Mapping[str, Any], line: str) -> Alert | None:
    """Labels are falcosidekick's own words; they go before what the sentence says, which may be the attacker's."""
    told = parse_alert(line)
    priority = Priority.parse(_text(labels, "priority")) or (told.priority if told else None)
    if priority is None or not (_text(labels, "rule") or told):
        return None
    known = {name: _text(labels, label) for label, name in _LABELS.items() if _text(labels, label) not in _NOTHING}
    fields = dict(told.fields) if told else {}
    return Alert(
        rule=_text(labels, "rule") or (told.rule if told else ""),
        priority=priority,
        output=line,
        source=_text(labels, "source") or (told.source if told else ""),
        hostname=_text(labels, "hostname"),
        tags=_tags(labels.get("tags")),
        time_ns=told.time_ns if told else None,
        fields=MappingProxyType(fields | known),
        from_text=True,
        ambiguous=(told.ambiguous if told else frozenset()) - known.keys(),
    )


def _typed(name: str, value: Any) -> Any:
    """A field of a flattened alert: everything is text there, and what the catalogue calls a number is one."""
    if not isinstance(value, str):
        return value
    if not value:
        return None
    entry = catalogue().get(name.partition("[")[0])
    kind = "number" if name in _WRITTEN_AS_NUMBERS else entry.kind if entry else "text"
    if kind == "truth" and value in {"true", "false"}:
        return value == "true"
    return int(value) if kind == "number" and _WHOLE.fullmatch(value) else value


def _tags(value: Any) -> tuple[str, ...]:
    """A list, `a,b`, or JSON's `["a","b"]`."""
    if isinstance(value, list):
        return tuple(map(str, value))
    words = str(value or "").strip("[]").split(",")
    return tuple(word.strip(' "') for word in words if word.strip(' "'))


def _text(labels: Mapping[str, Any], name: str) -> str:
    value = labels.get(name)
    return value if isinstance(value, str) else ""
