"""By what one alert is known again, whichever way it came: host, time, rule and fields."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from aegis.falco.alert import Alert


def identity(alert: Alert) -> str:
    """64 hexadecimal digits: equal for one alert from Falco's log, its HTTP output, falcosidekick or a log service.

    falcosidekick's `uuid` is drawn anew at each receipt, so it is left out; a log service makes text of every field, so
    fields are compared as text, and it drops those that are empty. An alert of text holds no rule and no certain fields: there its sentence says it.
    """
    fields = {name: text for name, value in alert.fields.items() if (text := _text(value))}
    told: list[Any] = [alert.hostname, alert.time_ns, alert.rule, sorted(fields.items())]
    if alert.from_text:
        told.append(alert.output)
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(value, order="sorted").decode()
