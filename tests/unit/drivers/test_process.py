from __future__ import annotations

import asyncio
import os
import sys
import time
import uuid
from pathlib import Path

import pytest

from aegis.drivers.process import run
from aegis.errors import TimedOut, Unavailable


def _alive(pid: int) -> bool:
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0] != "Z"
        )
    except FileNotFoundError:
        return False


async def _gone(pid: int) -> bool:
    for _ in range(100):
        if not _alive(pid):
            return True
        await asyncio.sleep(0.02)
    return False


async def test_what_it_says_and_how_it_ends() -> None:
    program = "import os, sys; print(sorted(os.environ), os.listdir('.'), sys.stdin.read()); sys.exit('no')"
    done = await run([sys.executable, "-I", "-c", program], timeout=20, env={"A": "1"}, stdin=b"in")
    assert done.status == 1
    assert b"'A'" in done.stdout
    assert b"HOME" not in done.stdout
    assert b"[] in" in done.stdout
    assert done.stderr == b"no\n"
    assert not done.truncated


async def test_arguments_are_not_read_by_a_shell() -> None:
    done = await run(["/bin/echo", "$(id)", ";", "a b"], timeout=20, env={})
    assert done.stdout == b"$(id) ; a b\n"


async def test_output_is_bounded_and_the_rest_is_drained() -> None:
    program = "import sys; sys.stdout.write('x' * 5_000_000); print('end', file=sys.stderr)"
    done = await run([sys.executable, "-c", program], timeout=20, env={}, limit_bytes=1000)
    assert len(done.stdout) == 1000
    assert done.stderr == b"end\n"
    assert done.truncated


async def test_a_program_that_is_not_there() -> None:
    with pytest.raises(Unavailable, match="cannot run"):
        await run(["/no/such/program"], timeout=5, env={})


async def test_the_whole_group_is_killed_when_the_time_is_up(tmp_path: Path) -> None:
    script = "trap '' TERM; sleep 300 & echo $! $$ > pids; wait; sleep 300"
    started = time.monotonic()
    with pytest.raises(TimedOut, match="did not end within"):
        await run(["/bin/sh", "-c", script], timeout=0.5, env={"PATH": os.environ["PATH"]}, cwd=tmp_path)
    assert time.monotonic() - started < 5
    for pid in (tmp_path / "pids").read_text().split():
        assert await _gone(int(pid))


async def test_children_that_outlive_the_program_are_killed_and_do_not_hold_it(tmp_path: Path) -> None:
    script = "sleep 300 & echo $! > pid; echo done"
    started = time.monotonic()
    done = await run(["/bin/sh", "-c", script], timeout=10, env={"PATH": os.environ["PATH"]}, cwd=tmp_path)
    assert done.stdout == b"done\n"
    assert time.monotonic() - started < 5
    assert await _gone(int((tmp_path / "pid").read_text()))


async def test_cancelling_kills_it(tmp_path: Path) -> None:
    running = asyncio.ensure_future(
        run(["/bin/sh", "-c", "echo $$ > pid; sleep 300"], timeout=60, env={"PATH": os.environ["PATH"]}, cwd=tmp_path)
    )
    for _ in range(500):
        await asyncio.sleep(0.01)
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            break
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await _gone(int((tmp_path / "pid").read_text()))


async def test_a_program_that_does_not_read_its_input() -> None:
    done = await run(["/bin/true"], timeout=10, env={}, stdin=b"x" * 5_000_000)
    assert done.status == 0


async def test_what_left_the_group_does_not_hold_it_for_ever(tmp_path: Path) -> None:
    script = (
        "import os, time\nif os.fork() == 0:\n  os.setsid(); open('pid', 'w').write(str(os.getpid())); time.sleep(300)"
    )
    with pytest.raises(TimedOut, match="did not end"):
        await run([sys.executable, "-c", script], timeout=1.0, env={}, cwd=tmp_path)
    os.kill(int((tmp_path / "pid").read_text()), 9)


def _has(folder: Path, mark: str) -> bool:
    try:
        return mark.encode() in (folder / "environ").read_bytes()
    except OSError:
        return False


def _alive_with(mark: str) -> list[str]:
    return [folder.name for folder in Path("/proc").iterdir() if folder.name.isdigit() and _has(folder, mark)]


@pytest.mark.parametrize("turns", range(8))
async def test_cancelled_while_it_starts_nothing_is_left(turns: int) -> None:
    mark = uuid.uuid4().hex
    env = {"PATH": os.environ["PATH"], "MARK": mark}
    running = asyncio.ensure_future(run(["/bin/sh", "-c", "sleep 300 & wait"], timeout=60, env=env))
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    async with asyncio.timeout(10):
        with pytest.raises(asyncio.CancelledError):
            await running
    for _ in range(100):
        if not _alive_with(mark):
            break
        await asyncio.sleep(0.05)
    assert not _alive_with(mark)
