"""Which alerts are asked for: the same question to a file, a store, a log service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from aegis.falco.alert import Alert
from aegis.falco.priority import Priority

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertQuery:
    """Which alerts are asked for; what is empty asks for all.

    Attributes:
        namespace: exactly this one; an alert that names none is of no namespace.
        rule: exactly this one; an alert of text, which does not hold its rule, is of none.
        priority: the lowest that counts.
        since: from this event on, aware.
        until: up to this one, aware.
    """

    namespace: str = ""
    rule: str = ""
    priority: Priority | None = None
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, alert: Alert) -> bool:
        """Whether an alert is asked for. One whose time is not known may lie in any window: it is."""
        return (
            (not self.namespace or alert.text("k8s.ns.name") == self.namespace)
            and (not self.rule or alert.rule == self.rule)
            and (self.priority is None or alert.priority.at_least(self.priority))
            and self.spans(alert.time_ns)
        )

    def spans(self, at_ns: int | None) -> bool:
        """Whether a moment (nanoseconds since 1970) lies in the window; both ends belong to it."""
        if at_ns is None:
            return True
        after = self.since is None or at_ns >= _nanoseconds(self.since)
        return after and (self.until is None or at_ns <= _nanoseconds(self.until))


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000
