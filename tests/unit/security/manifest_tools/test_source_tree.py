"""Reading a stranger's folder: what is looked at, and what is never opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aegis.security.manifest_tools import source_tree
from aegis.security.manifest_tools.source_tree import FileKind, read_tree


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_kinds_of_files(tmp_path: Path) -> None:
    names = {
        "Dockerfile": FileKind.DOCKERFILE,
        "web.Dockerfile": FileKind.DOCKERFILE,
        "Dockerfile.web": FileKind.DOCKERFILE,
        "Containerfile": FileKind.DOCKERFILE,
        "vendor/tests/a.yaml": FileKind.MANIFEST,
        "a.YML": FileKind.MANIFEST,
        "b.json": FileKind.MANIFEST,
        "run.sh": FileKind.SHELL,
        "bin/start": FileKind.SHELL,
        ".hidden.sh": FileKind.SHELL,
    }
    for name in (*names, "readme.md", "LICENSE", ".git/hooks.sh", "dockerfiles.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n" if name == "bin/start" else "x", encoding="utf-8")
    assert {file.name: file.kind for file in read_tree(tmp_path).files} == names


def test_one_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    write(tmp_path, odd="ls")
    (file,) = read_tree(tmp_path / "odd").files
    assert (file.name, file.kind, file.data) == ("odd", FileKind.SHELL, b"ls")


def test_links_pipes_and_loops_are_not_followed(tmp_path: Path) -> None:
    write(tmp_path, good_dot_sh="ls")
    (tmp_path / "passwd.sh").symlink_to("/etc/passwd")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.sh")
    assert [file.name for file in read_tree(tmp_path).files] == ["good.sh"]


def test_a_link_in_the_place_of_a_named_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.sh").symlink_to("/etc/passwd")
    (file,) = read_tree(tmp_path / "a.sh").files
    assert file.trouble
    assert not file.data


def test_a_file_that_is_too_large_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_tree, "FILE_BYTES", 10)
    write(tmp_path, a_dot_sh="x" * 11, b_dot_sh="x" * 10)
    large, small = read_tree(tmp_path).files
    assert "larger than the 10 bytes" in large.trouble
    assert not small.trouble


def test_a_folder_that_is_too_large_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_tree, "FILES_LIMIT", 2)
    write(tmp_path, a_dot_sh="x", b_dot_sh="x", c_dot_sh="x")
    tree = read_tree(tmp_path)
    assert len(tree.files) == 2
    assert "name a smaller folder" in tree.trouble


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    (file,) = read_tree(tmp_path / "nowhere.sh").files
    assert "No such file" in file.trouble
