from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aegis.errors import Refused, Unavailable, UsageError
from aegis.model.refs import ObjectRef
from aegis.ports import Mode
from aegis.stores.locks import private_folder, target_lock
from aegis.stores.mode import FileMode

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
_HOLDER = """
import asyncio, sys
from pathlib import Path
from aegis.model.refs import ObjectRef
from aegis.stores.locks import target_lock
async def main():
    web = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
    async with target_lock(Path(sys.argv[1]), "c1", web):
        print("held", flush=True)
        sys.stdin.read()
asyncio.run(main())
"""


def _holder(folder: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", _HOLDER, str(folder)]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def test_one_at_a_time_across_processes_and_free_after_a_kill(tmp_path: Path) -> None:
    holder = _holder(tmp_path)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Refused, match=f"process {holder.pid}"):
        async with target_lock(tmp_path, "c1", WEB, wait=0.1):
            pass
    async with target_lock(tmp_path, "c2", WEB):
        pass
    holder.kill()
    holder.communicate(timeout=10)
    async with target_lock(tmp_path, "c1", WEB):
        pass


async def test_who_waits_says_for_whom(tmp_path: Path) -> None:
    said: list[str] = []
    async with target_lock(tmp_path, "c1", WEB, wait=0.2, waiting=said.append):
        assert said == []
        with pytest.raises(Refused):
            async with target_lock(tmp_path, "c1", WEB, wait=0.2, waiting=said.append):
                pass
    assert said == [f"{WEB} is being worked on by another AEGIS (process {os.getpid()}): waiting"]


async def test_one_at_a_time_within_a_process(tmp_path: Path) -> None:
    async with target_lock(tmp_path, "c1", WEB):
        with pytest.raises(Refused, match=str(os.getpid())):
            async with target_lock(tmp_path, "c1", WEB):
                pass


async def test_absent_means_run_and_setting_tells_its_story(tmp_path: Path) -> None:
    mode = FileMode(tmp_path / "state")
    assert await mode.read() is Mode.RUN
    mode.set(Mode.FROZEN, reason="an audit", by="alice")
    again = FileMode(tmp_path / "state").setting()
    assert (again.mode, again.reason, again.by) == (Mode.FROZEN, "an audit", "alice")
    assert again.at
    with pytest.raises(UsageError):
        mode.set(Mode.RUN, reason=" ", by="alice")
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"mode.json", "mode.lock"}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"mode":"fast"}', '{"mode":"run","at":"soon"}', "\xff"])
async def test_what_cannot_be_read_stops_everything(tmp_path: Path, text: str) -> None:
    (tmp_path / "mode.json").write_text(text, encoding="latin-1")
    with pytest.raises(Unavailable):
        await FileMode(tmp_path).read()


async def test_a_folder_in_the_files_place_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "mode.json").mkdir()
    with pytest.raises(Unavailable):
        await FileMode(tmp_path).read()


def _bits(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_private_folder_is_private_with_the_parents_that_it_needed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    made = private_folder(tmp_path / "state" / "aegis" / "audit")
    assert [_bits(folder) for folder in (made, made.parent, made.parent.parent)] == [0o700] * 3
    assert _bits(tmp_path) == 0o755


def test_a_folder_of_ours_that_is_open_is_closed_and_its_parent_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "locks"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    folder.parent.chmod(0o755)
    private_folder(folder)
    assert (_bits(folder), _bits(folder.parent)) == (0o700, 0o755)


def test_a_folder_that_a_person_named_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    FileMode(tmp_path).set(Mode.FROZEN, reason="an audit", by="alice")
    assert _bits(tmp_path) == 0o755
