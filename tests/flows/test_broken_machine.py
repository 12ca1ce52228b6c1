"""A machine that misbehaves: a disk that fills, a folder that cannot be written, files that somebody damaged.

What cannot be written down beforehand is not done; what is damaged is said in one line, and nothing is written over it.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from kill_world import Ended, Theatre, World, theatre

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(600)]

KIB = 1 << 10


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Theatre]:
    async with theatre(tmp_path) as found:
        yield found


def said_once(ended: Ended) -> bool:
    errors = [line for line in ended.err.splitlines() if line.startswith("aegis: ") and " stands at " not in line]
    return len(errors) == 1 and "Traceback" not in ended.err and "defect" not in ended.err


async def test_where_the_disk_is_full_nothing_is_done_that_was_not_written_down(stage: Theatre) -> None:
    """It fills at ever later moments of the same remediation; with room again the same command ends it."""
    world = await stage.world()
    statuses = []
    for room in (KIB, 12 * KIB, 48 * KIB, 96 * KIB):
        ended = await world.run(*world.fix(), largest_file=room)
        statuses.append(ended.status)
        assert ended.status in {69, 0}, ended.err
        assert said_once(ended) or ended.status == 0, ended.err
        assert world.unannounced() == []
    assert statuses[0] == 69
    last = await world.run(*world.fix())
    assert last.status == 0, last.err
    assert (await world.run("audit", "verify")).status == 0
    assert len(world.writes()) == 1
    assert world.shadows() == []


def corrupt_store(state: Path) -> None:
    (state / "incidents.sqlite").write_bytes(b"this is no database" * 500)
    for name in ("incidents.sqlite-wal", "incidents.sqlite-shm"):
        (state / name).unlink(missing_ok=True)


def newer_store(state: Path) -> None:
    with sqlite3.connect(state / "incidents.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def foreign_rows(state: Path) -> None:
    with sqlite3.connect(state / "incidents.sqlite") as connection:
        connection.execute("UPDATE incidents SET document = x'00ff', phase = 'Analyzing'")
    connection.close()


def cut_audit(state: Path) -> None:
    path = state / "audit" / "audit.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-3]))


def changed_audit(state: Path) -> None:
    path = state / "audit" / "audit.jsonl"
    path.write_bytes(path.read_bytes()[:-20] + b"\xff" * 19 + b"\n")


def damaged_anchor(state: Path) -> None:
    (state / "anchor" / "audit-head.json").write_bytes(b"{")


def damaged_mode(state: Path) -> None:
    (state / "mode.json").write_bytes(b"[]")


def folder_for_a_lock(state: Path) -> None:
    (state / "audit" / "audit.lock").unlink()
    (state / "audit" / "audit.lock").mkdir()


DAMAGE: list[Callable[[Path], None]] = [
    corrupt_store,
    newer_store,
    foreign_rows,
    cut_audit,
    changed_audit,
    damaged_anchor,
    damaged_mode,
    folder_for_a_lock,
]


async def test_what_is_damaged_is_said_and_nothing_is_written(stage: Theatre) -> None:
    world = await stage.world()
    assert (await world.run(*world.fix("--yes", "--dry-run"))).status == 0
    found: list[str] = []

    async def one(number: int, damage: Callable[[Path], None]) -> None:
        copy = World(theatre=stage, namespace=world.namespace, folder=stage.folder / f"damaged-{number}")
        copying = await asyncio.create_subprocess_exec("cp", "-a", str(world.folder), str(copy.folder))
        await copying.wait()
        damage(copy.state)
        ended = await copy.run(*copy.fix())
        if ended.status != 69 or not said_once(ended):
            found.append(f"{damage.__name__}: {ended.status} {ended.err[-600:]}")

    async with asyncio.TaskGroup() as group:
        for number, damage in enumerate(DAMAGE):
            group.create_task(one(number, damage))
    assert found == [], "\n".join(found)
    assert world.writes() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_cannot_be_written_is_said_at_once(stage: Theatre) -> None:
    world = await stage.world()
    world.folder.chmod(0o500)
    try:
        ended = await world.run(*world.fix())
    finally:
        world.folder.chmod(0o700)
    assert (ended.status, said_once(ended)) == (69, True), ended.err
    assert world.writes() == []
