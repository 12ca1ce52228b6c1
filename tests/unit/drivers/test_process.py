from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.drivers.process import STDERR_BYTES, run, shown
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


async def test_what_left_the_group_is_found_and_killed(tmp_path: Path) -> None:
    script = (
        "import os, time\nif os.fork() == 0:\n  os.setsid(); os.fork() or time.sleep(300)\n"
        "  open('pid', 'a').write(f'{os.getpid()} '); time.sleep(300)\nwhile not os.path.exists('pid'): time.sleep(0.01)"
    )
    done = await run([sys.executable, "-I", "-c", script], timeout=20, env={}, cwd=tmp_path)
    assert done.status == 0
    for pid in (tmp_path / "pid").read_text().split():
        assert not _there(int(pid))


async def test_what_it_cannot_say_in_little_is_told_by_its_ends() -> None:
    program = "import sys; sys.stderr.write('panic: first' + 'x' * 500_000 + chr(27) + '[31mlast' + chr(27) + '[0m')"
    done = await run([sys.executable, "-I", "-c", program], timeout=20, env={})
    assert len(done.stderr) <= STDERR_BYTES + 10
    assert done.said.startswith("panic: first")
    assert done.said.endswith("last")
    assert len(done.said) < 2100
    assert not done.truncated


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x1b[1;31mred\x1b[0m", "red"),
        (b"\x1b]0;title\x07x\x1b]8;;http://a\x1b\\y", "xy"),
        (b"a\x00\x08b\r\n\tc", "ab\n\tc"),
        ("\u202eevil\x9b31m".encode(), "evil"),
        (b"\xff", "\ufffd"),
    ],
)
def test_text_of_a_tool_commands_no_terminal(raw: bytes, text: str) -> None:
    assert shown(raw) == text


async def test_memory_is_bounded_while_it_writes_without_end() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    program = "import os\nb = bytes(1 << 20)\nfor _ in range(200): os.write(1, b)"
    done = await run([sys.executable, "-I", "-c", program], timeout=60, env={}, limit_bytes=8 << 20)
    assert done.truncated
    assert len(done.stdout) == 8 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 << 10  # KiB


async def test_no_zombie_is_left() -> None:
    await run(["/bin/sh", "-c", "sleep 0 & sleep 0 & exit 3"], timeout=20, env={"PATH": os.environ["PATH"]})
    assert [pid for pid in _children_of(os.getpid()) if _state(pid) == "Z"] == []


_ALONE = """
import asyncio, sys
from aegis.drivers.process import run
from pathlib import Path
asyncio.run(run(["/bin/sh", "-c", sys.argv[1]], timeout=100, env={"PATH": sys.argv[2]}, cwd=Path(sys.argv[3])))
"""


def _aegis(script: str, where: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _ALONE, script, os.environ["PATH"], str(where)])


@pytest.mark.parametrize("trap", ["", "trap '' TERM; "])
async def test_when_aegis_is_killed_nothing_of_the_tool_is_left(tmp_path: Path, trap: str) -> None:
    script = f"{trap}(setsid sleep 300 & echo $! >> pids; wait) & sleep 300 & echo $! $$ $PPID >> pids; touch ready; wait; wait"
    aegis = _aegis(script, tmp_path)
    await until((tmp_path / "ready").exists)
    await until(lambda: len((tmp_path / "pids").read_text().split()) == 4)
    aegis.kill()
    aegis.wait()
    for pid in (tmp_path / "pids").read_text().split():
        assert await _gone(int(pid))


async def test_when_the_guardian_is_killed_the_tool_is_too(tmp_path: Path) -> None:
    running = asyncio.ensure_future(
        run(["/bin/sh", "-c", "sleep 300 & echo $! $$ $PPID > pids; touch ready; wait"], timeout=60,
            env={"PATH": os.environ["PATH"]}, cwd=tmp_path)
    )  # fmt: skip
    await until((tmp_path / "ready").exists)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    os.kill(pids[-1], signal.SIGKILL)
    done = await running
    assert done.status == -signal.SIGKILL
    for pid in pids:
        assert await _gone(pid)


_FULL = """
import asyncio, os, subprocess, sys, tempfile
from aegis.drivers.process import run
from aegis.errors import Unavailable
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", sys.argv[1]], check=True)
tempfile.tempdir = sys.argv[1]
async def main():
    try:
        await run([sys.executable, "-I", "-c", "print('x' * 9_000_000)"], timeout=60, env={})
    except Unavailable as error:
        print(error.message, error.hint)
asyncio.run(main())
"""


@pytest.mark.namespaces
def test_a_full_disk_is_said(tmp_path: Path) -> None:
    told = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", _FULL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    if told.returncode and "unshare" in told.stderr:
        pytest.skip("no user namespaces here")
    assert "no space left for what" in told.stdout, told.stderr
    assert f"Free space in {tmp_path}" in told.stdout


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(1500):
        if holds():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it did not come about")


def _there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _children_of(pid: int) -> list[int]:
    return [
        int(it) for folder in Path(f"/proc/{pid}/task").iterdir() for it in (folder / "children").read_text().split()
    ]


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
