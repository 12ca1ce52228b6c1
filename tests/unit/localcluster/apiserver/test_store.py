import asyncio
import json

import pytest

from aegis.localcluster.apiserver.refusals import Expired
from aegis.localcluster.apiserver.store import FIRST_REVISION, Change, Store, Stored


def put(store: Store, name: str, **fields: object) -> Stored:
    return store.put("things", ("ns", name), {"metadata": {"name": name, "namespace": "ns"}, **fields})


def test_revisions_grow_and_are_written_into_the_object() -> None:
    store = Store()
    first, second = put(store, "a"), put(store, "a", x=1)
    assert first.revision == FIRST_REVISION + 1
    assert second.revision == store.revision == FIRST_REVISION + 2
    assert store.get("things", ("ns", "a")) is second
    assert "x" not in first


def test_json_is_encoded_once() -> None:
    stored = put(Store(), "a", x="é")
    assert json.loads(stored.wire())["x"] == "é"
    assert stored.wire() is stored.wire()


def test_objects_come_by_namespace_and_name() -> None:
    store = Store()
    for namespace, name in (("b", "1"), ("a", "2"), ("a", "1")):
        store.put("things", (namespace, name), {"metadata": {"name": name, "namespace": namespace}})
    assert [(o["metadata"]["namespace"], o["metadata"]["name"]) for o in store.objects("things")] == [
        ("a", "1"),
        ("a", "2"),
        ("b", "1"),
    ]
    assert store.count("things", "a") == 2
    assert store.objects("things", "c") == []
    assert store.storages() == ["things"]


def test_the_past_can_be_listed_as_far_as_the_history_reaches() -> None:
    store = Store(history=3)
    put(store, "a", x=1)
    revision = store.revision
    put(store, "a", x=2)
    put(store, "b")
    assert [(o["metadata"]["name"], o.get("x")) for o in store.objects_at("things", "ns", revision)] == [("a", 1)]
    for _ in range(3):
        put(store, "c")
    with pytest.raises(Expired):
        store.objects_at("things", None, revision)


def test_a_removed_object_is_in_the_past() -> None:
    store = Store()
    last = put(store, "a")
    revision = store.revision
    store.remove("things", ("ns", "a"), last)
    assert store.objects("things") == []
    assert [o["metadata"]["name"] for o in store.objects_at("things", None, revision)] == ["a"]


async def test_a_subscription_misses_nothing() -> None:
    store = Store()
    put(store, "a")
    since = store.revision
    put(store, "b")
    with store.subscribe({"things"}, since=since) as changes:
        store.put("others", ("ns", "x"), {"metadata": {"name": "x"}})
        put(store, "b", x=1)
        last = store.get("things", ("ns", "b"))
        assert last is not None
        store.remove("things", ("ns", "b"), last)
        seen = [await changes.next() for _ in range(3)]
    assert [(c.type, c.key[1]) for c in seen] == [("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "b")]
    assert seen[1].previous is seen[0].object


async def test_a_subscription_wakes_its_reader() -> None:
    store = Store()
    with store.subscribe(None) as changes:
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(changes.next())
            await asyncio.sleep(0)
            put(store, "a")
        assert reader.result().object["metadata"]["name"] == "a"


def test_too_slow_a_reader_is_told() -> None:
    store = Store()
    with store.subscribe({"things"}, limit=2) as changes:
        for _ in range(3):
            put(store, "a")
        with pytest.raises(Expired):
            changes.pending()


def test_an_old_revision_is_refused() -> None:
    with pytest.raises(Expired):
        Store().subscribe({"things"}, since=1)


def test_observers_come_after_subscriptions() -> None:
    store = Store()
    subscription = store.subscribe({"things"})

    def echo(change: Change) -> None:
        if change.key[1] == "a":
            put(store, "echo")

    store.observe(echo)
    put(store, "a")
    first, second = subscription.pending(), subscription.pending()
    assert first is not None
    assert second is not None
    assert [first.key[1], second.key[1]] == ["a", "echo"]
