from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from aegis.errors import Unavailable
from aegis.model.audit import AuditRecord
from aegis.stores.audit import FileAuditLog


def _log(folder: Path) -> FileAuditLog:
    return FileAuditLog(folder / "audit", anchor=folder / "anchor" / "head.json")


async def _fill(log: FileAuditLog, count: int) -> list[AuditRecord]:
    return [
        await log.append(actor="a", action=f"do-{n}", outcome="done", incident=f"inc-{n % 2}", detail={"n": n})
        for n in range(count)
    ]


def _lines(folder: Path) -> list[bytes]:
    return (folder / "audit" / "audit.jsonl").read_bytes().splitlines(keepends=True)


def _rewrite(folder: Path, lines: list[bytes]) -> None:
    (folder / "audit" / "audit.jsonl").write_bytes(b"".join(lines))


async def test_records_come_back_in_order(tmp_path: Path) -> None:
    log = _log(tmp_path)
    assert list(log.records()) == []
    written = await _fill(log, 5)
    assert list(_log(tmp_path).records()) == written
    assert [record.detail["n"] for record in log.records(incident="inc-1")] == [1, 3]
    assert log.verify() is None
    assert [item["sequence"] for item in log.export()] == [1, 2, 3, 4, 5]
    for path in (tmp_path / "audit" / "audit.jsonl", tmp_path / "anchor" / "head.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["changed", "removed", "reordered", "cut", "all", "garbage", "newline"])
async def test_tampering_is_found_and_not_written_over(tmp_path: Path, kind: str) -> None:
    log = _log(tmp_path)
    await _fill(log, 6)
    lines = _lines(tmp_path)
    match kind:
        case "changed":
            lines[2] = lines[2].replace(b"do-2", b"do-X")
        case "removed":
            del lines[2]
        case "reordered":
            lines[2], lines[3] = lines[3], lines[2]
        case "cut":
            del lines[4:]
        case "all":
            lines = []
        case "garbage":
            lines[2] = b"{}\n"
        case _:
            lines[5] = lines[5].rstrip(b"\n")
    _rewrite(tmp_path, lines)
    fault = log.verify()
    assert fault
    assert fault.sequence == {"cut": 5, "all": 1, "newline": 6}.get(kind, 3)
    if kind in {"cut", "all", "newline"}:
        with pytest.raises(Unavailable, match="its end is missing"):
            await _fill(log, 1)
        assert log.verify() == fault


async def test_a_removed_file_is_a_cut_tail(tmp_path: Path) -> None:
    log = _log(tmp_path)
    await _fill(log, 2)
    (tmp_path / "audit" / "audit.jsonl").unlink()
    fault = log.verify()
    assert fault
    assert fault.kind == "cut"
    with pytest.raises(Unavailable):
        await _fill(log, 1)


async def test_a_damaged_anchor_is_a_fault(tmp_path: Path) -> None:
    log = _log(tmp_path)
    await _fill(log, 1)
    (tmp_path / "anchor" / "head.json").write_text("{")
    fault = log.verify()
    assert fault
    assert fault.kind == "anchor"
    with pytest.raises(Unavailable):
        await _fill(log, 1)


@pytest.mark.parametrize("size", [1, 100, 300])
async def test_a_torn_last_line_is_set_aside_and_noted(tmp_path: Path, size: int) -> None:
    log = _log(tmp_path)
    await _fill(log, 2)
    torn = (b'{"action":"do-3","actor":"' + b"x" * 500)[:size]
    with (tmp_path / "audit" / "audit.jsonl").open("ab") as file:
        file.write(torn)
    assert log.verify() is None
    await _fill(log, 1)
    assert [record.action for record in log.records()] == ["do-0", "do-1", "audit-recover", "do-0"]
    assert (tmp_path / "audit" / "audit.torn-3").read_bytes() == torn
    assert log.verify() is None


async def test_a_crash_between_record_and_anchor_is_no_fault(tmp_path: Path) -> None:
    log = _log(tmp_path)
    await _fill(log, 2)
    anchor = (tmp_path / "anchor" / "head.json").read_bytes()
    await _fill(log, 1)
    (tmp_path / "anchor" / "head.json").write_bytes(anchor)
    assert log.verify() is None
    await _fill(log, 1)
    assert log.verify() is None


async def test_unwritable_means_unavailable(tmp_path: Path) -> None:
    log = _log(tmp_path)
    (tmp_path / "audit" / "audit.jsonl").mkdir()
    with pytest.raises(Unavailable):
        await _fill(log, 1)
    with pytest.raises(Unavailable, match="too long"):
        await _log(tmp_path / "other").append(actor="a", action="x", outcome="done", detail={"x": "y" * (2 << 20)})
    with pytest.raises(Unavailable):
        await _log(tmp_path / "third").append(actor="a", action="x", outcome="done", detail={"x": float("nan")})


async def test_long_records_and_a_log_of_many_blocks(tmp_path: Path) -> None:
    log = _log(tmp_path)
    for _ in range(3):
        await log.append(actor="a", action="x", outcome="done", detail={"x": "y" * 200_000})
    assert log.verify() is None


_WRITER = """
import asyncio, sys
from pathlib import Path
from aegis.stores.audit import FileAuditLog
async def main():
    folder = Path(sys.argv[1])
    log = FileAuditLog(folder / "audit", anchor=folder / "anchor" / "head.json")
    for n in range(int(sys.argv[2])):
        record = await log.append(actor=sys.argv[3], action="x", outcome="noted")
        print(record.sequence, record.hash, flush=True)
asyncio.run(main())
"""


def _writer(folder: Path, count: int, actor: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(folder), str(count), actor], stdout=subprocess.PIPE, text=True
    )


def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    writers = [_writer(tmp_path, 60, actor) for actor in ("one", "two")]
    said = [line for writer in writers for line in writer.communicate(timeout=60)[0].splitlines()]
    log = _log(tmp_path)
    assert log.verify() is None
    assert sorted(f"{record.sequence} {record.hash}" for record in log.records()) == sorted(said)
    assert len(said) == 120


def test_after_a_kill_every_acknowledged_record_is_in_a_whole_chain(tmp_path: Path) -> None:
    said: list[str] = []
    for round_ in range(4):
        writer = _writer(tmp_path, 100_000, f"round-{round_}")
        assert writer.stdout
        said += [writer.stdout.readline().strip() for _ in range(10 + 7 * round_)]
        os.kill(writer.pid, signal.SIGKILL)
        said += writer.communicate(timeout=30)[0].splitlines()[:-1]
    log = _log(tmp_path)
    assert log.verify() is None
    known = {f"{record.sequence} {record.hash}" for record in log.records()}
    assert set(said) <= known


async def test_lines_are_json_that_other_tools_read(tmp_path: Path) -> None:
    await _fill(_log(tmp_path), 1)
    record = json.loads(_lines(tmp_path)[0])
    assert record["at"].endswith("+00:00")
    assert record["previous"] == "sha256:" + "0" * 64
