"""What must be finished is finished, however often somebody asks to stop."""

import asyncio

import pytest

from aegis.drivers.shielding import shielded


async def test_it_is_finished_and_the_cancellation_comes_after() -> None:
    begun, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def undo() -> None:
        begun.set()
        await go_on.wait()
        done.set()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(shielded(undo()))
        await begun.wait()
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
    assert done.is_set()
    assert task.cancelled()


async def test_its_error_is_told() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError

    with pytest.raises(KeyError):
        await shielded(fail())
