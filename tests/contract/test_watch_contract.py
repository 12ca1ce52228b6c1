import asyncio
import time

from contract_client import Client, config_map, config_maps, labelled


async def test_watch_since_rv(api: Client, namespace: str) -> None:
    collection = config_maps(namespace)
    revision = (await api.get(collection))["metadata"]["resourceVersion"]
    await api.post(collection, config_map("w", x=1))
    await api.merge(collection + "/w", {"data": {"x": "2"}})
    await api.delete(collection + "/w")
    events = await api.watch(collection, resourceVersion=revision, most=3, fieldSelector="metadata.name=w")
    seen = [(e["type"], e["object"]["metadata"]["name"]) for e in events]
    assert seen == [("ADDED", "w"), ("MODIFIED", "w"), ("DELETED", "w")]


async def test_watch_timeout(api: Client, namespace: str) -> None:
    revision = (await api.get(config_maps(namespace)))["metadata"]["resourceVersion"]
    start = time.monotonic()
    await api.watch(config_maps(namespace), timeoutSeconds=1, resourceVersion=revision)
    assert 0.5 < time.monotonic() - start < 4


async def test_watch_live(api: Client, namespace: str) -> None:
    collection = config_maps(namespace)
    revision = (await api.get(collection))["metadata"]["resourceVersion"]
    start = time.monotonic()
    async with asyncio.TaskGroup() as tasks:

        async def later() -> None:
            await asyncio.sleep(0.7)
            await api.post(collection, config_map("live"))

        tasks.create_task(later())
        events = await api.watch(collection, most=1, resourceVersion=revision, fieldSelector="metadata.name=live")
    assert events[0]["type"] == "ADDED"
    assert events[0]["object"]["kind"] == "ConfigMap"
    assert time.monotonic() - start < 2


async def test_watch_initial_events_bookmark(api: Client, namespace: str) -> None:
    await api.post(config_maps(namespace), config_map("a"))
    events = await api.watch(
        config_maps(namespace),
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
        timeoutSeconds=2,
    )
    assert "ADDED" in [e["type"] for e in events]
    bookmark = next(e["object"] for e in events if e["type"] == "BOOKMARK")
    assert bookmark["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"


async def test_watch_too_old(api: Client, namespace: str) -> None:
    events = await api.watch(config_maps(namespace), resourceVersion=1, most=1, timeoutSeconds=2)
    assert events
    assert events[0]["type"] == "ERROR"
    assert events[0]["object"]["code"] == 410


async def test_watch_selector_leave(api: Client, namespace: str) -> None:
    created = await api.post(config_maps(namespace), labelled("s", t="1"))
    await api.merge(config_maps(namespace) + "/s", {"metadata": {"labels": {"t": "2"}}})
    revision = created["metadata"]["resourceVersion"]
    events = await api.watch(config_maps(namespace), resourceVersion=revision, labelSelector="t=1", most=1)
    assert events[0]["type"] == "DELETED"
