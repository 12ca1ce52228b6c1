"""The Lease, on a real API server: who holds it, who takes it over, and who finds out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from flow_world import World, api_server, world

from aegis.delivery.lease import Claim, Lease, LeaseLost, Terms, forget_the_dead, held, lease_of, lease_of_changes
from aegis.drivers.kubernetes.driver import KubernetesDriver
from aegis.errors import Refused, Unavailable
from aegis.model.refs import JsonObject, ObjectRef
from aegis.ports import Mode, Purpose
from aegis.stores.mode import FileMode

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
LEASE = lease_of(WEB)
QUICK = Terms(duration=1.0, renew=0.05, poll=0.02)
LONG_AGO = "2020-01-01T00:00:00.000000Z"


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[World]:
    async with api_server(tmp_path) as kubeconfig, world(tmp_path, kubeconfig) as made:
        yield made


def claim(holder: str, **more: Any) -> Claim:
    purpose = Purpose(kind="lease", incident=f"inc-{holder[0]}")
    return Claim(ref=LEASE, about=str(WEB), holder=holder, purpose=purpose, **more)


@asynccontextmanager
async def holding(shop: World, holder: str, **how: Any) -> AsyncIterator[Lease]:
    tools = await shop.tools()
    async with held(shop.driver, tools.actuator, claim(holder), terms=how.pop("terms", QUICK), **how) as lease:
        yield lease


async def seen(shop: World) -> JsonObject | None:
    return await shop.driver.find(LEASE)


async def spec(shop: World) -> dict[str, Any]:
    found = await seen(shop)
    assert found is not None
    return dict(found["spec"])


async def set_spec(driver: KubernetesDriver, **fields: Any) -> None:
    operations = [{"op": "replace", "path": f"/spec/{name}", "value": value} for name, value in fields.items()]
    await driver.patch(LEASE, operations, manager="test")


async def left_by(shop: World, holder: str, **fields: Any) -> None:
    """A Lease as a process leaves it that died long ago."""
    tools = await shop.tools()
    lease = Lease(shop.driver, tools.actuator, claim(holder), QUICK)
    await lease.acquire(0, lambda _: None)
    await set_spec(shop.driver, renewTime=LONG_AGO, **fields)


async def until(shop: World, changed: Any) -> None:
    async with asyncio.timeout(10):
        while not changed(await spec(shop)):  # noqa: ASYNC110 - the server has no event for us
            await asyncio.sleep(0.01)


async def test_it_is_held_renewed_and_gone_at_the_end(shop: World) -> None:
    async with holding(shop, "a/1/7") as lease:
        first = await spec(shop)
        assert first["holderIdentity"] == "a/1/7"
        await until(shop, lambda now: now["renewTime"] != first["renewTime"])
        await lease.confirm()
    assert await seen(shop) is None
    records = [record for record in shop.audit.records() if record.detail.get("purpose") == "lease"]
    assert {record.incident for record in records} == {"inc-a"}
    assert {(record.action, record.outcome) for record in records} >= {("create", "intended"), ("delete", "done")}


async def test_a_second_one_is_refused_and_told_who_is_at_work(shop: World) -> None:
    async with holding(shop, "a/1/7"):
        with pytest.raises(Refused, match=r"Deployment/web in shop is being worked on by another AEGIS \(a/1/7\)"):
            async with holding(shop, "b/2/8"):
                pytest.fail("both hold it")
        assert (await spec(shop))["holderIdentity"] == "a/1/7"


async def test_a_second_one_that_may_wait_is_next(shop: World) -> None:
    said: list[str] = []
    order: list[str] = []
    waits = asyncio.Event()

    def waiting(words: str) -> None:
        said.append(words)
        waits.set()

    async def second() -> None:
        async with holding(shop, "b/2/8", wait=20, waiting=waiting):
            order.append("second")

    async with asyncio.TaskGroup() as group, holding(shop, "a/1/7"):
        group.create_task(second())
        await asyncio.wait_for(waits.wait(), 10)
        order.append("first")
    assert order == ["first", "second"]
    assert said == ["Deployment/web in shop is being worked on by another AEGIS (a/1/7): waiting"]


async def test_what_a_dead_process_of_the_same_folder_left_is_taken_at_once(shop: World) -> None:
    await left_by(shop, "a/1/7", leaseDurationSeconds=3600)
    await set_spec(shop.driver, renewTime="2999-01-01T00:00:00.000000Z")
    async with asyncio.timeout(5), holding(shop, "a/1/8"):
        found = await spec(shop)
    assert (found["holderIdentity"], found["leaseTransitions"]) == ("a/1/8", 1)


async def test_what_a_dead_one_elsewhere_left_is_taken_once_it_was_seen_silent(shop: World) -> None:
    said: list[str] = []
    await left_by(shop, "a/1/7")
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with holding(shop, "b/2/8", waiting=said.append):
        assert loop.time() - began >= 1.0, "not before the holder's own duration was over"
        assert (await spec(shop))["holderIdentity"] == "b/2/8"
    assert said == ["another AEGIS (a/1/7) left Deployment/web in shop without a word: waiting 1 s for a sign of life"]


async def test_a_living_holder_whose_clock_is_wrong_keeps_it(shop: World) -> None:
    """Its times look a year old, yet they move."""
    stop = asyncio.Event()
    await left_by(shop, "a/1/7")

    async def alive() -> None:
        day = 1
        while not stop.is_set():
            day += 1
            await set_spec(shop.driver, renewTime=f"2020-01-01T00:{day % 60:02}:00.000000Z")
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        group.create_task(alive())
        with pytest.raises(Refused, match="another AEGIS"):
            await holding(shop, "b/2/8").__aenter__()
        stop.set()
    assert (await spec(shop))["holderIdentity"] == "a/1/7"


async def test_of_two_that_take_over_at_once_one_does(shop: World) -> None:
    await left_by(shop, "a/1/7")
    inside, most, refused = 0, 0, 0

    async def one(holder: str) -> None:
        nonlocal inside, most, refused
        try:
            async with holding(shop, holder):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.3)
                inside -= 1
        except Refused:
            refused += 1

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(one(f"b{number}/2/8"))
    assert (most, refused) == (1, 4)
    assert await seen(shop) is None


@pytest.mark.parametrize("how", ["taken", "deleted"])
async def test_who_lost_it_is_cancelled_told_so_and_leaves_the_other_ones_alone(shop: World, how: str) -> None:
    cleaned = False

    async def works() -> None:
        nonlocal cleaned
        async with holding(shop, "a/1/7"):
            if how == "taken":
                await set_spec(shop.driver, holderIdentity="b/2/8")
            else:
                await shop.driver.delete(LEASE)
            try:
                await asyncio.sleep(30)
            finally:
                cleaned = True

    with pytest.raises(LeaseLost, match=r"taken over by another AEGIS \(b/2/8\)|is gone"):
        await works()
    assert cleaned
    assert (await seen(shop) is not None) == (how == "taken")


async def test_who_lost_it_is_told_before_the_next_write(shop: World) -> None:
    async with holding(shop, "a/1/7", terms=replace(QUICK, renew=60)) as lease:
        await shop.driver.patch(LEASE, [{"op": "add", "path": "/metadata/labels/x", "value": "y"}], manager="test")
        await lease.confirm()
        await set_spec(shop.driver, holderIdentity="b/2/8")
        with pytest.raises(LeaseLost):
            await lease.confirm()
    assert (await spec(shop))["holderIdentity"] == "b/2/8"


async def test_a_renewal_that_was_cut_off_leaves_no_lease_behind(shop: World) -> None:
    """It was made, and its answer was never read: the version is another one than we know."""
    async with holding(shop, "a/1/7", terms=replace(QUICK, renew=60)):
        await set_spec(shop.driver, renewTime="2999-01-01T00:00:00.000000Z")
    assert await seen(shop) is None


async def test_what_the_block_raises_is_raised(shop: World) -> None:
    with pytest.raises(Unavailable, match="the block's own") as caught:
        async with holding(shop, "a/1/7"):
            raise Unavailable("the block's own")
    assert type(caught.value) is Unavailable
    assert await seen(shop) is None


async def test_a_stopped_automation_renews_nothing_and_the_lease_expires(shop: World) -> None:
    async with holding(shop, "a/1/7") as lease:
        FileMode(shop.folder).set(Mode.HARDSTOP, reason="test", by="test")
        with pytest.raises(Refused, match="hardstop"):
            await lease.confirm()
    assert (await spec(shop))["holderIdentity"] == "a/1/7"


async def test_a_hostile_lease_is_waited_for_a_bounded_time_and_shown_in_bounds(shop: World) -> None:
    await left_by(shop, "a/1/7", leaseDurationSeconds=2**31 - 1, holderIdentity="\x1b[2J" + "x" * 5000)
    said: list[str] = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5), holding(shop, "b/2/8", waiting=said.append):
            pass
    assert said[0].endswith("waiting 120 s for a sign of life")
    assert len(said[0]) < 300


async def test_it_goes_with_the_object_that_it_is_about(shop: World) -> None:
    owner = await shop.make(colour="red")
    tools = await shop.tools()
    async with held(shop.driver, tools.actuator, claim("a/1/7", owner=owner), terms=QUICK):
        found = await seen(shop)
    assert found is not None
    (reference,) = found["metadata"]["ownerReferences"]
    assert (reference["kind"], reference["uid"]) == ("ConfigMap", owner["metadata"]["uid"])


async def test_leases_that_nobody_came_back_for_are_forgotten_and_no_others(shop: World) -> None:
    await left_by(shop, "a/1/7")
    tools = await shop.tools()
    foreign = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "aegis-fix-x", "namespace": "shop"},
        "spec": {"holderIdentity": "somebody", "renewTime": LONG_AGO},
    }
    await shop.driver.create(foreign)
    young = lease_of_changes("shop")
    purpose = Purpose(kind="lease", incident="inc-z")
    async with held(shop.driver, tools.actuator, replace(claim("z/1/1"), ref=young), terms=QUICK):
        await forget_the_dead(shop.driver, tools.actuator, "shop", purpose)
        names = {
            one["metadata"]["name"]
            for one in await shop.driver.list("coordination.k8s.io/v1", "Lease", namespace="shop")
        }
    assert names == {"aegis-fix-x", young.name}


def test_a_name_of_any_length_has_a_lease_of_its_own() -> None:
    long = [replace(WEB, name=letter * 253) for letter in "ab"]
    names = {lease_of(ref).name for ref in (WEB, *long, replace(WEB, kind="StatefulSet"))}
    assert len(names) == 4
    assert all(len(name) < 64 for name in names)
