"""One SQLite file: private, durable before each commit returns, and never read in a layout that is not known."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aegis.errors import Unavailable
from aegis.stores.locks import private_folder

_BUSY_SECONDS = 10.0
"""How long another process may keep one waiting."""


@dataclass(slots=True, kw_only=True)
class Database:
    """A database file, opened where it is first needed.

    Attributes:
        path: the file (0600, in a folder of 0700); made if it is not there.
        holds: what it holds, for messages.
        schema: statements that make what is not there yet.
        layout: the version of the schema; a file of another is refused.
    """

    path: Path
    holds: str
    schema: str
    layout: int = 1
    _connection: sqlite3.Connection | None = field(default=None, init=False)

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """A transaction: durable where the block ends, undone where it raises.

        Raises:
            Unavailable: if the file cannot be used.
        """
        try:
            if self._connection is None:
                self._connection = self._connect()
            with self._connection:
                yield self._connection
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(f"the {self.holds} in {self.path} cannot be used: {error}") from error

    def close(self) -> None:
        """Close the file; it opens again when needed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> sqlite3.Connection:
        private_folder(self.path.parent, ours=False)  # the state folder may be one that a person named
        self.path.touch(mode=0o600, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        (layout,) = connection.execute("PRAGMA user_version").fetchone()
        if layout not in {0, self.layout}:
            connection.close()
            raise sqlite3.DatabaseError(f"written by a newer version (layout {layout})")
        connection.executescript(self.schema)
        connection.execute(f"PRAGMA user_version = {self.layout}")
        return connection
