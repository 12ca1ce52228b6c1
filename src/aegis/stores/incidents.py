"""Incidents in SQLite: one file a cluster, durable on every save, refused where somebody else saved first.

The calls are made inline, not in a thread: a load or a save of an incident takes less than a millisecond, and a step of
a remediation saves once. `busy_timeout` bounds how long another process may keep one waiting.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aegis.errors import Conflict, NotFound, Refused, Unavailable, UsageError
from aegis.model.incident import Incident, Phase
from aegis.model.refs import ObjectRef
from aegis.stores.sqlite import Database

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS incidents (
    id TEXT PRIMARY KEY,
    cluster_uid TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    namespace TEXT NOT NULL,
    phase TEXT NOT NULL,
    opened_at TEXT NOT NULL,
    version INTEGER NOT NULL,
    document BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS incidents_by_target ON incidents (cluster_uid, namespace, kind, name);
"""
_FINAL: Final = tuple(phase.value for phase in Phase if phase.final)


class SqliteIncidentStore:
    """An `IncidentStore` in one file.

    Args:
        path: the database file (0600, in a folder of 0700); made if it is not there.
        cluster_uid: only incidents of this cluster are seen.
    """

    def __init__(self, path: Path, *, cluster_uid: str) -> None:
        self._path = path
        self._cluster_uid = cluster_uid
        self._database = Database(path=path, holds="incidents", schema=_SCHEMA)

    async def save(self, incident: Incident) -> Incident:
        """Store durably; the returned incident has the next version.

        Raises:
            Conflict: if the stored version is not the one that was read.
            Unavailable: if it cannot be stored.
            UsageError: if it is of another cluster.
        """
        if incident.cluster_uid != self._cluster_uid:
            raise UsageError(f"incident {incident.id} belongs to another cluster")
        stored = replace(incident, version=incident.version + 1)
        row = {
            "id": stored.id,
            "cluster_uid": stored.cluster_uid,
            "kind": stored.target.kind,
            "name": stored.target.name,
            "namespace": stored.target.namespace,
            "phase": stored.phase.value,
            "opened_at": stored.opened_at.isoformat(),
            "version": stored.version,
            "document": _codec().dump_json(stored),
            "read_version": incident.version,
        }
        statement = _INSERT if incident.version == 0 else _UPDATE
        with self._database.open() as connection:
            changed = connection.execute(statement, row).rowcount
        if changed != 1:
            raise Conflict(f"incident {incident.id} was changed by another process", hint="Run the command again.")
        return stored

    async def load(self, incident_id: str) -> Incident:
        """The incident with this id, or whose id begins so, if only one does.

        Raises:
            NotFound: if there is none, or several begin so.
            Refused: if it is of another cluster.
        """
        with self._database.open() as connection:
            rows = connection.execute(_LOAD, {"id": incident_id, "cluster_uid": self._cluster_uid}).fetchall()
            elsewhere = connection.execute(_ELSEWHERE, {"id": incident_id}).fetchone()
        exact = [row for row in rows if row[0] == incident_id]
        if not rows and elsewhere is not None:
            raise Refused(
                f"incident {incident_id} belongs to another cluster ({elsewhere[0]}, not {self._cluster_uid})",
                hint="Choose that cluster with --context or --kubeconfig.",
            )
        if not rows or not incident_id:
            raise NotFound(f"there is no incident {incident_id}", hint="See `aegis incident list`.")
        if len(rows) > 1 and not exact:
            raise NotFound(f"several incidents begin with {incident_id}", hint="Give more of the id.")
        return _decode((exact or rows)[0][1], self._path)

    async def list(self, *, target: ObjectRef | None = None, open_only: bool = False) -> list[Incident]:
        """The incidents of this cluster, the newest first."""
        wanted = {
            "cluster_uid": self._cluster_uid,
            "any_target": target is None,
            "kind": target.kind if target else "",
            "name": target.name if target else "",
            "namespace": target.namespace if target else "",
            "any_phase": not open_only,
        }
        with self._database.open() as connection:
            rows = connection.execute(_LIST, wanted).fetchall()
        return [_decode(row[0], self._path) for row in rows]

    def close(self) -> None:
        """Close the file; it opens again when needed."""
        self._database.close()


_INSERT: Final = """
INSERT INTO incidents (id, cluster_uid, kind, name, namespace, phase, opened_at, version, document)
VALUES (:id, :cluster_uid, :kind, :name, :namespace, :phase, :opened_at, :version, :document)
ON CONFLICT (id) DO NOTHING
"""
_UPDATE: Final = """
UPDATE incidents SET phase = :phase, version = :version, document = :document, kind = :kind, name = :name,
    namespace = :namespace
WHERE id = :id AND cluster_uid = :cluster_uid AND version = :read_version
"""
_LOAD: Final = """
SELECT id, document FROM incidents WHERE cluster_uid = :cluster_uid AND substr(id, 1, length(:id)) = :id LIMIT 3
"""
_ELSEWHERE: Final = "SELECT cluster_uid FROM incidents WHERE id = :id"
_LIST: Final = f"""
SELECT document FROM incidents
WHERE cluster_uid = :cluster_uid
    AND (:any_target OR (kind = :kind AND name = :name AND namespace = :namespace))
    AND (:any_phase OR phase NOT IN ({", ".join(repr(phase) for phase in _FINAL)}))
ORDER BY opened_at DESC, id
"""  # noqa: S608  (the phases are constants of this program)


@cache
def _codec() -> TypeAdapter[Incident]:
    """Imported here, since pydantic costs 70 ms and most commands keep no incident."""
    from pydantic import TypeAdapter

    return TypeAdapter(Incident)


def _decode(document: bytes, path: Path) -> Incident:
    try:
        return _codec().validate_json(document)
    except ValueError as error:
        raise Unavailable(f"an incident in {path} cannot be read: {error}") from error
