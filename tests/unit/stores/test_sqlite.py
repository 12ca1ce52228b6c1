"""One SQLite file."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from aegis.errors import Unavailable
from aegis.stores.sqlite import Database

SCHEMA = "CREATE TABLE IF NOT EXISTS words (word TEXT) STRICT;"


def database(path: Path) -> Database:
    return Database(path=path / "state" / "words.db", holds="words", schema=SCHEMA)


def words(found: Database) -> list[str]:
    with found.open() as connection:
        return [word for (word,) in connection.execute("SELECT word FROM words")]


def test_what_raises_is_undone_and_what_ends_is_kept(tmp_path: Path) -> None:
    first = database(tmp_path)
    with first.open() as connection:
        connection.execute("INSERT INTO words VALUES ('kept')")
    with contextlib.suppress(KeyError), first.open() as connection:
        connection.execute("INSERT INTO words VALUES ('undone')")
        raise KeyError
    assert words(first) == ["kept"]
    first.close()
    assert words(first) == words(database(tmp_path)) == ["kept"]


def test_it_is_private(tmp_path: Path) -> None:
    found = database(tmp_path)
    assert words(found) == []
    assert found.path.stat().st_mode & 0o777 == 0o600
    assert found.path.parent.stat().st_mode & 0o777 == 0o700


def test_another_layout_and_no_database_are_refused(tmp_path: Path) -> None:
    found = database(tmp_path)
    words(found)
    found.close()
    with sqlite3.connect(found.path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(Unavailable, match=r"the words in .* cannot be used: written by a newer version \(layout 2\)"):
        words(found)
    found.path.write_bytes(b"no database" * 100)
    with pytest.raises(Unavailable, match="cannot be used"):
        words(database(tmp_path))
