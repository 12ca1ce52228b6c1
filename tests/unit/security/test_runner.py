"""Two at a time, nothing twice, and whoever waits is not left alone when somebody else gives up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from slow_scanner import SlowScanner

from aegis.model.scan import Image, Manifests, ScanStatus
from aegis.security.desk import Desk
from aegis.security.runner import Runner, scanners

OBJECTS = Manifests(objects=({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}},))


async def ticks(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_no_more_than_two_heavy_ones_at_a_time() -> None:
    slow, runner = SlowScanner(), Runner(desk=Desk())
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(runner.look(slow, Image(reference=f"i{n}"))) for n in range(6)]
        await ticks()
        assert len(slow.asked) == 2
        slow.go.set()
    assert len(slow.asked) == len(tasks) == 6
    assert slow.most == 2


async def test_light_ones_wait_for_nobody() -> None:
    light, runner = SlowScanner(name="podsecurity"), Runner(desk=Desk())
    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(runner.look(light, Image(reference=f"i{number}")))
        await ticks()
        assert light.most == 5
        light.go.set()


async def test_the_same_is_looked_at_once_however_many_ask() -> None:
    slow, runner = SlowScanner(status=ScanStatus.ERROR), Runner(desk=Desk())
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(runner.look(slow, replace(OBJECTS))) for _ in range(5)]
        await ticks()
        slow.go.set()
    assert len(slow.asked) == 1
    assert {task.result().status for task in tasks} == {ScanStatus.ERROR}


async def test_when_whoever_looks_is_cancelled_the_next_looks() -> None:
    slow, runner = SlowScanner(), Runner(desk=Desk())
    first = asyncio.ensure_future(runner.look(slow, OBJECTS))
    second = asyncio.ensure_future(runner.look(slow, OBJECTS))
    await ticks()
    first.cancel()
    await ticks()
    slow.go.set()
    assert (await second).status is ScanStatus.CLEAN
    assert first.cancelled()
    assert len(slow.asked) == 2


async def test_whoever_waits_may_give_up_alone() -> None:
    slow, runner = SlowScanner(), Runner(desk=Desk())
    first = asyncio.ensure_future(runner.look(slow, OBJECTS))
    second = asyncio.ensure_future(runner.look(slow, OBJECTS))
    await ticks()
    second.cancel()
    slow.go.set()
    assert (await first).status is ScanStatus.CLEAN
    with pytest.raises(asyncio.CancelledError):
        await second
    assert len(slow.asked) == 1


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 6, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


async def test_another_run_is_given_what_is_kept(tmp_path: Path) -> None:
    slow, clock = SlowScanner(), Clock()
    slow.go.set()
    desk = Desk(cache=tmp_path, now=clock)
    first = await Runner(desk=desk).look(slow, OBJECTS)
    again = await Runner(desk=desk).look(slow, OBJECTS)
    assert len(slow.asked) == 1
    assert again.coverage.notes
    assert replace(again, coverage=first.coverage) == first
    clock.at += timedelta(days=8)
    await Runner(desk=desk).look(slow, OBJECTS)
    assert len(slow.asked) == 2


@pytest.mark.parametrize("status", [ScanStatus.ERROR, ScanStatus.TIMEOUT, ScanStatus.PARTIAL])
async def test_an_error_is_asked_again(tmp_path: Path, status: ScanStatus) -> None:
    slow = SlowScanner(status=status)
    slow.go.set()
    for _ in range(2):
        await Runner(desk=Desk(cache=tmp_path)).look(slow, OBJECTS)
    assert len(slow.asked) == 2


async def test_a_tag_is_asked_again_and_a_digest_is_not(tmp_path: Path) -> None:
    slow, noon = SlowScanner(), datetime(2026, 1, 1, 12, tzinfo=UTC)
    slow.tool = replace(slow.tool, database=noon)
    slow.go.set()
    for reference in ("web:1", "web@sha256:" + "ab" * 32):
        for _ in range(2):
            await Runner(desk=Desk(cache=tmp_path, now=lambda: noon)).look(slow, Image(reference=reference))
    assert len(slow.asked) == 3


async def test_what_another_tool_said_than_was_asked_about_is_not_kept(tmp_path: Path) -> None:
    slow = SlowScanner()
    slow.go.set()
    runner = Runner(desk=Desk(cache=tmp_path))
    runner._tools["slow"] = replace(slow.tool, version="0")
    await runner.look(slow, OBJECTS)
    assert list(tmp_path.rglob("*.json")) == []


async def test_all_that_accept_look_and_the_others_are_named() -> None:
    told = await Runner(desk=Desk()).look_at_all(["podsecurity"], [OBJECTS, Image(reference="x")])
    assert list(told) == ["podsecurity"]
    assert [one.status for one in told["podsecurity"]] == [ScanStatus.CLEAN]
    assert {one.name for one in scanners()} >= {"podsecurity", "kubesec", "trivy", "zap", "falco"}
