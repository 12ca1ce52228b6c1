"""Alerts in SQLite: durable before the answer, each once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from aegis.errors import Unavailable
from aegis.falco.alert import Alert, parse_alert
from aegis.falco.document import encoded
from aegis.falco.identity import identity
from aegis.falco.priority import Priority
from aegis.falco.query import AlertQuery
from aegis.ports import AlertBatch
from aegis.stores.sqlite import Database

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS alerts (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    at_ns INTEGER,
    priority INTEGER NOT NULL,
    rule TEXT NOT NULL,
    namespace TEXT NOT NULL,
    received_at TEXT NOT NULL,
    document BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS alerts_by_time ON alerts (at_ns);
"""
_INSERT: Final = """
INSERT INTO alerts (id, at_ns, priority, rule, namespace, received_at, document)
VALUES (:id, :at_ns, :priority, :rule, :namespace, :received_at, :document)
ON CONFLICT (id) DO NOTHING
"""
_SELECT: Final = """
SELECT document FROM alerts
WHERE (:namespace = '' OR namespace = :namespace)
    AND (:rule = '' OR rule = :rule)
    AND priority <= :priority
    AND (at_ns IS NULL OR at_ns BETWEEN :since AND :until)
    AND sequence > :after
ORDER BY at_ns DESC, id DESC LIMIT :limit
"""
_MOST_NS: Final = (1 << 63) - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SqliteAlertStore:
    """An `AlertStore` in one file.

    Args:
        path: the database file (0600, in a folder of 0700); made at the first write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = Database(path=path, holds="alerts", schema=_SCHEMA)

    async def add(self, alerts: Iterable[Alert]) -> tuple[int, int]:
        """Store durably, all of them or none; how many were new, and how many were there already.

        Raises:
            Unavailable: if they cannot be stored.
        """
        new = known = 0
        received = datetime.now(UTC).isoformat()
        with self._database.open() as connection:
            for alert in alerts:
                added = connection.execute(_INSERT, _row(alert) | {"received_at": received}).rowcount
                new, known = new + added, known + 1 - added
        return new, known

    async def read(self, query: AlertQuery, limit: int, *, after: int = 0) -> AlertBatch:
        """The newest alerts that are asked for, the oldest first; only those that were stored after this many.

        Raises:
            Unavailable: if the file cannot be read.
        """
        if not self._path.exists():
            return AlertBatch()
        asked = {
            "namespace": query.namespace,
            "rule": query.rule,
            "priority": max(Priority) if query.priority is None else int(query.priority),
            "since": _nanoseconds(query.since, 0),
            "until": _nanoseconds(query.until, _MOST_NS),
            "limit": limit + 1,
            "after": after,
        }
        with self._database.open() as connection:
            rows = connection.execute(_SELECT, asked).fetchall()
        notes = (f"only the newest {limit} were asked for",) if len(rows) > limit else ()
        alerts = tuple(alert for row in reversed(rows[:limit]) if (alert := parse_alert(row[0])) is not None)
        if len(alerts) < min(len(rows), limit):
            raise Unavailable(f"an alert in {self._path} cannot be read")
        return AlertBatch(alerts=alerts, notes=notes)

    def last(self) -> int:
        """How many were ever stored: what comes later has a higher number.

        Raises:
            Unavailable: if the file cannot be read.
        """
        if not self._path.exists():
            return 0
        with self._database.open() as connection:
            (last,) = connection.execute("SELECT coalesce(max(sequence), 0) FROM alerts").fetchone()
        return int(last)

    def close(self) -> None:
        """Close the file; it opens again when needed."""
        self._database.close()


class StoredAlerts:
    """A store as a source: asked again, it gives what was stored since."""

    name = "store"

    def __init__(self, store: SqliteAlertStore) -> None:
        self._store = store
        self._read_to = 0

    async def read(self, query: AlertQuery, limit: int) -> AlertBatch:
        """The newest alerts that are asked for, the oldest first."""
        last = self._store.last()
        batch = await self._store.read(query, limit, after=self._read_to)
        self._read_to = last
        return batch


def _row(alert: Alert) -> dict[str, Any]:
    return {
        "id": identity(alert),
        "at_ns": alert.time_ns if alert.time_ns is not None and alert.time_ns <= _MOST_NS else None,
        "priority": int(alert.priority),
        "rule": alert.rule,
        "namespace": alert.text("k8s.ns.name"),
        "document": encoded(alert),
    }


def _nanoseconds(moment: datetime | None, otherwise: int) -> int:
    return otherwise if moment is None else (moment - _EPOCH) // timedelta(microseconds=1) * 1000
