"""Volumes as an agent writes them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from aegis.localcluster.kubelet.sandbox.volume_files import VolumeStore


def files(**content: str) -> dict[str, dict[str, Any]]:
    return {
        path.replace("__", "/"): {"data": base64.b64encode(text.encode()).decode(), "mode": 0o640}
        for path, text in content.items()
    }


@pytest.fixture
def store(tmp_path: Path) -> VolumeStore:
    return VolumeStore(tmp_path, can_mount=False)


def test_files_are_replaced_as_one(store: VolumeStore, tmp_path: Path) -> None:
    store.write("v", files(a="1", sub__b="2"), gid=None)
    volume = tmp_path / "v"
    assert ((volume / "a").read_text(encoding="utf-8"), (volume / "sub/b").read_text(encoding="utf-8")) == ("1", "2")
    assert (volume / "a").stat().st_mode & 0o777 == 0o640
    first = (volume / "..data").readlink()
    store.write("v", files(a="new", c="3"), gid=None)
    assert (volume / "a").read_text(encoding="utf-8") == "new"
    assert sorted(path.name for path in volume.iterdir() if not path.name.startswith("..")) == ["a", "c"]
    assert not (volume / first).exists()


def test_an_empty_volume_keeps_what_is_in_it(store: VolumeStore, tmp_path: Path) -> None:
    store.make("e", size=None, in_memory=False, gid=None)
    (tmp_path / "e" / "kept").touch()
    store.make("e", size=None, in_memory=False, gid=None)
    assert (tmp_path / "e" / "kept").exists()
    assert (tmp_path / "e").stat().st_mode & 0o777 == 0o777


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x"])
def test_a_path_out_of_the_volume_is_refused(store: VolumeStore, path: str) -> None:
    with pytest.raises(ValueError, match="invalid path"):
        store.write("v", {path: {"data": "", "mode": 0o644}}, gid=None)


def test_a_kept_folder_is_shown_and_left_alone(store: VolumeStore, tmp_path: Path) -> None:
    kept = tmp_path / "outside"
    kept.mkdir()
    (kept / "file").write_text("kept", encoding="utf-8")
    for _ in range(2):
        store.keep("k", kept, gid=None)
    assert (tmp_path / "k" / "file").read_text(encoding="utf-8") == "kept"
