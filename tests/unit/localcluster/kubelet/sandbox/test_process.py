"""Finding programs and reading how they ended, in the words of container runtimes."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.localcluster.kubelet.sandbox.process import StartError, exit_code, find_program


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tool").touch(mode=0o755)
    (tmp_path / "data").touch(mode=0o644)
    return tmp_path


def test_programs_are_found(folder: Path) -> None:
    assert find_program("tool", f"/nowhere:{folder}", "/") == str(folder / "tool")
    assert find_program(str(folder / "tool"), "", "/") == str(folder / "tool")
    assert find_program("./tool", "", str(folder)) == str(folder / "tool")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gone", 'exec: "gone": executable file not found in $PATH: unknown'),
        ("data", 'exec: "data": executable file not found in $PATH: unknown'),
        ("/no/such", 'exec: "/no/such": stat /no/such: no such file or directory: unknown'),
        ("/", 'exec: "/": is a directory: unknown'),
        ("./data", 'exec: "./data": permission denied: unknown'),
    ],
)
def test_programs_that_cannot_be_started(folder: Path, name: str, words: str) -> None:
    with pytest.raises(StartError) as caught:
        find_program(name, str(folder), str(folder))
    assert str(caught.value) == words


@pytest.mark.parametrize(("status", "code"), [(0, 0), (3 << 8, 3), (9, 137), (15, 143), (11 | 128, 139)])
def test_exit_codes(status: int, code: int) -> None:
    assert exit_code(status) == code
