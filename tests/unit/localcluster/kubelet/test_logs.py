"""Container output on disk."""

from __future__ import annotations

import asyncio
import os
import re
import time
from pathlib import Path

import pytest

from aegis.localcluster.api import LogRequest
from aegis.localcluster.kubelet import logs
from aegis.localcluster.kubelet.logs import LINE_MAX, LogFile, LogStore, read


async def everything(log: LogFile, **request: object) -> bytes:
    return b"".join([piece async for piece in read(log, LogRequest(**request))])  # type: ignore[arg-type]


async def written(folder: Path, *pieces: bytes, stream: str = "stdout") -> LogFile:
    log = LogFile(folder)
    fd = log.capture(stream)
    for piece in pieces:
        os.write(fd, piece)
        await asyncio.sleep(0.005)
    os.close(fd)
    await asyncio.wait_for(log.written.wait(), 5)
    return log


async def test_lines_come_back_as_they_were_written(tmp_path: Path) -> None:
    log = await written(tmp_path, b"one\ntw", b"o\n\nthree")
    assert await everything(log) == b"one\ntwo\n\nthree"
    assert log.complete


async def test_a_long_line_has_one_time_though_it_is_kept_in_parts(tmp_path: Path) -> None:
    log = await written(tmp_path, b"x" * 40_000 + b"\nnext\n")
    first, second = (await everything(log, timestamps=True)).splitlines()
    assert first.partition(b" ")[2] == b"x" * 40_000
    assert second.partition(b" ")[2] == b"next"


async def test_times_are_those_of_reading_and_rise(tmp_path: Path) -> None:
    before = time.time()
    log = await written(tmp_path, b"a\nb\nc\n")
    lines = (await everything(log, timestamps=True)).decode().splitlines()
    stamps = [line.split(" ")[0] for line in lines]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", stamp) for stamp in stamps)
    assert stamps == sorted(set(stamps))
    assert await everything(log, since=before - 1) == b"a\nb\nc\n"
    assert await everything(log, since=time.time() + 1) == b""


@pytest.mark.parametrize(("tail", "expected"), [(0, b""), (1, b"c\n"), (2, b"b\nc\n"), (9, b"a\nb\nc\n")])
async def test_tail(tmp_path: Path, tail: int, expected: bytes) -> None:
    assert await everything(await written(tmp_path, b"a\nb\nc\n"), tail_lines=tail) == expected


async def test_a_limit_of_bytes(tmp_path: Path) -> None:
    assert await everything(await written(tmp_path, b"abc\ndef\n"), limit_bytes=6) == b"abc\nde"


async def test_long_lines_are_split_on_disk_and_whole_again_when_read(tmp_path: Path) -> None:
    long = b"x" * (3 * LINE_MAX + 10)
    log = await written(tmp_path, long[:50_000], long[50_000:] + b"\nend\n")
    raw = log.segment(1).read_bytes().splitlines()
    assert max(len(line) for line in raw) < LINE_MAX + 60
    assert raw[0].split(b" ")[2] == b"P"
    assert await everything(log) == long + b"\nend\n"


async def test_rotation_keeps_the_newest_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "SEGMENT_MAX", 2000)
    log = await written(tmp_path, *(b"".join(b"line %d\n" % (part * 50 + n) for n in range(50)) for part in range(6)))
    out = await everything(log)
    assert out.endswith(b"line 299\n")
    assert b"line 0\n" not in out
    assert len(list(tmp_path.iterdir())) == 2


async def test_following_ends_with_the_output(tmp_path: Path) -> None:
    log = LogFile(tmp_path)
    fd = log.capture("stdout")
    os.write(fd, b"first\n")
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(everything(log, follow=True))
        await asyncio.sleep(0.02)
        os.write(fd, b"second\n")
        await asyncio.sleep(0.02)
        assert not reading.done()
        os.close(fd)
    assert reading.result() == b"first\nsecond\n"


async def test_following_after_a_tail_shows_what_is_new(tmp_path: Path) -> None:
    log = LogFile(tmp_path)
    fd = log.capture("stdout")
    os.write(fd, b"old\n")
    await asyncio.sleep(0.02)
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(everything(log, follow=True, tail_lines=0))
        await asyncio.sleep(0.02)
        os.write(fd, b"new\n")
        os.close(fd)
    assert reading.result() == b"new\n"


async def test_only_the_run_before_is_kept(tmp_path: Path) -> None:
    store = LogStore(tmp_path)
    for run in range(3):
        fd = store.open("uid", "app", run).capture("stdout")
        os.write(fd, b"run %d\n" % run)
        os.close(fd)
        await asyncio.sleep(0.02)
    now, before = store.find("uid", "app", previous=False), store.find("uid", "app", previous=True)
    assert now is not None
    assert before is not None
    assert (await everything(now), await everything(before)) == (b"run 2\n", b"run 1\n")
    assert store.tail("uid", "app", 100, 1) == "run 2\n"
    assert sorted(path.name for path in (tmp_path / "uid" / "app").iterdir()) == ["1", "2"]
    store.forget("uid")
    assert store.find("uid", "app", previous=False) is None
    assert not list(tmp_path.iterdir())
