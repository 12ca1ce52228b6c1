"""`aegis rules fmt` on real files: the result is printed, checked or written, and nothing is ever lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aegis.interfaces.cli.main import run

MESSY = "# c\n- list:   x\n  items: [a,b]\n"
NEAT = "# c\n- list: x\n  items: [a, b]\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "r.yaml"
    path.write_text(MESSY)
    path.chmod(0o640)
    return path


def test_it_is_printed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "fmt", str(file)]) == 0
    assert capsys.readouterr().out == NEAT
    assert file.read_text(encoding="utf-8") == MESSY


def test_it_is_checked(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "fmt", str(file), "--check"]) == 1
    assert "would change" in capsys.readouterr().out
    assert file.read_text(encoding="utf-8") == MESSY
    assert run(["rules", "fmt", str(file), "--check", "-o", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["kind"], report["changed"]) == ("LayoutReport", 1)


def test_it_is_written(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = file.with_name("link.yaml")
    link.symlink_to(file)
    assert run(["rules", "fmt", str(link), "--write"]) == 0
    assert (file.read_text(encoding="utf-8"), file.stat().st_mode & 0o777, link.is_symlink()) == (NEAT, 0o640, True)
    assert run(["rules", "fmt", str(file), "--check"]) == 0
    assert sorted(one.name for one in file.parent.iterdir()) == ["link.yaml", "r.yaml"]


@pytest.mark.parametrize("other", [b"- a: [", b"\xff- list: x", b"a: b\n"])
def test_of_several_files_none_is_written_if_one_is_wrong(
    file: Path, capsys: pytest.CaptureFixture[str], other: bytes
) -> None:
    wrong = file.with_name("wrong.yaml")
    wrong.write_bytes(other)
    assert run(["rules", "fmt", str(file), str(wrong), "--write"]) == 2
    assert (file.read_text(encoding="utf-8"), wrong.read_bytes()) == (MESSY, other)


def test_a_folder_that_may_not_be_written(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "fmt", str(file), "--check", "--write"]) == 2
    assert file.read_text(encoding="utf-8") == MESSY


def test_what_was_left_alone_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("- list: x\n  items: [a,b] # why\n")
    assert run(["rules", "fmt", str(path), "--check"]) == 0
    assert ":1: left as it is: a comment stands in it" in capsys.readouterr().out
