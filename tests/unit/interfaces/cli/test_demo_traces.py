"""What a demo makes is known to the next one, but not while it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.errors import Unavailable
from aegis.interfaces.cli.demo_traces import Run, begun, left_over


async def runs_left(home: Path, cluster: str = "uid") -> dict[str, dict[str, str]]:
    async with left_over(home, cluster) as found:
        return {run.id: dict(run.made) for run in found}


async def leave_two(home: Path) -> None:
    async with begun(home, "uid") as run:
        run.note("one", "u1")
        run.note("two", "u2")
        run.forget("one")


async def test_a_run_that_left_nothing_is_forgotten(tmp_path: Path) -> None:
    async with begun(tmp_path / "demo", "uid") as run:
        run.note("one")
        run.note("one", "u1")
        run.forget("one")
    assert list((tmp_path / "demo").iterdir()) == []


async def test_what_is_left_is_told_and_found_again(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="left behind: two"):
        await leave_two(tmp_path)
    assert list((await runs_left(tmp_path)).values()) == [{"two": "u2"}]
    assert await runs_left(tmp_path, "another cluster") == {}


async def test_a_run_that_goes_on_is_nobody_elses(tmp_path: Path) -> None:
    async with begun(tmp_path, "uid") as run:
        run.note("one", "u1")
        assert await runs_left(tmp_path) == {}
        run.forget("one")


async def test_what_was_about_to_be_made_is_known_too(tmp_path: Path) -> None:
    run = Run(folder=tmp_path / "0a1b", cluster_uid="uid")
    run.folder.mkdir()
    run.note("planned")
    assert await runs_left(tmp_path) == {"0a1b": {"planned": ""}}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"made": []}', '{"cluster": "uid"}'])
async def test_what_cannot_be_read_is_passed_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "made.json").write_text(content, encoding="utf-8")
    assert await runs_left(tmp_path) == {}
