"""Alerts that are kept: durable, each once, found again by what is asked for."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aegis.errors import Unavailable
from aegis.falco.alert import Alert, parse_alert
from aegis.falco.priority import Priority
from aegis.falco.query import AlertQuery
from aegis.stores.alerts import SqliteAlertStore, StoredAlerts

NOON = datetime(2024, 11, 21, 12, tzinfo=UTC)


def alert(seconds: float = 0, *, ns: str = "shop", **more: Any) -> Alert:
    document = {
        "hostname": "n",
        "output": "o",
        "output_fields": {"k8s.ns.name": ns, "evt.time": 1795221075873270750},
        "priority": "Warning",
        "rule": "R",
        "time": (NOON + timedelta(seconds=seconds)).isoformat(),
    }
    found = parse_alert(json.dumps(document | more))
    assert found is not None
    return found


@pytest.fixture
def store(tmp_path: Path) -> SqliteAlertStore:
    return SqliteAlertStore(tmp_path / "state" / "alerts.sqlite")


async def found(store: SqliteAlertStore, limit: int = 100, **query: Any) -> list[str]:
    return [one.rule for one in (await store.read(AlertQuery(**query), limit)).alerts]


async def test_each_is_kept_once_and_by_another_process_too(store: SqliteAlertStore, tmp_path: Path) -> None:
    assert await store.add([alert(1), alert(2), alert(1)]) == (2, 1)
    again = SqliteAlertStore(tmp_path / "state" / "alerts.sqlite")
    assert await again.add([alert(2), alert(3)]) == (1, 1)
    batch = await store.read(AlertQuery(), 10)
    assert [one.time for one in batch.alerts] == [NOON + timedelta(seconds=number) for number in (1, 2, 3)]
    assert batch.alerts[0].fields["evt.time"] == 1795221075873270750, "not a digit is lost"
    assert batch.notes == ()


async def test_it_is_asked_as_any_source(store: SqliteAlertStore) -> None:
    await store.add([
        alert(1, rule="a", priority="Notice"),
        alert(2, rule="b", ns="shop-prod", priority="Critical"),
        alert(3, rule="c", priority="error"),
        alert(4, rule="d", time=""),
    ])
    assert await found(store, namespace="shop") == ["d", "a", "c"]
    assert await found(store, namespace="shop-prod") == ["b"]
    assert await found(store, priority=Priority.ERROR) == ["b", "c"]
    assert await found(store, rule="a") == ["a"]
    assert await found(store, since=NOON + timedelta(seconds=2), until=NOON + timedelta(seconds=3)) == ["d", "b", "c"]


async def test_the_newest_are_kept_of_many(store: SqliteAlertStore) -> None:
    await store.add(alert(number, rule=str(number)) for number in range(10))
    batch = await store.read(AlertQuery(), 3)
    assert [one.rule for one in batch.alerts] == ["7", "8", "9"]
    assert batch.notes == ("only the newest 3 were asked for",)


async def test_what_was_stored_since_is_told_however_old_it_is(store: SqliteAlertStore) -> None:
    source = StoredAlerts(store)
    assert (await source.read(AlertQuery(), 10)).alerts == ()
    await store.add([alert(5, rule="first")])
    assert [one.rule for one in (await source.read(AlertQuery(), 10)).alerts] == ["first"]
    await store.add([alert(-500, rule="late"), alert(5, rule="first")])
    assert [one.rule for one in (await source.read(AlertQuery(), 10)).alerts] == ["late"]
    assert (await source.read(AlertQuery(), 10)).alerts == ()


async def test_all_are_kept_or_none(store: SqliteAlertStore) -> None:
    def breaks() -> Any:
        yield alert(1)
        raise OSError("the disk is gone")

    with pytest.raises(Unavailable, match="the disk is gone"):
        await store.add(breaks())
    assert await found(store) == []


async def test_what_cannot_be_read_is_unavailable(store: SqliteAlertStore, tmp_path: Path) -> None:
    path = tmp_path / "state" / "alerts.sqlite"
    await store.add([alert(1)])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alerts SET document = x'7b'")
    with pytest.raises(Unavailable, match="cannot be read"):
        await store.read(AlertQuery(), 1)
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(Unavailable, match="newer version"):
        await store.read(AlertQuery(), 1)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_where_nothing_was_ever_kept_nothing_is_made(store: SqliteAlertStore, tmp_path: Path) -> None:
    assert await found(store) == []
    assert store.last() == 0
    assert not (tmp_path / "state").exists()
