"""A file is the old one or the new one, and a writer that died leaves nothing for ever."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aegis.stores.durable import replace_file

_DIES_BEFORE_THE_RENAME = """
import os, signal, sys
from pathlib import Path
from aegis.stores.durable import replace_file
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
replace_file(Path(sys.argv[1]), b"half")
"""


def test_the_new_content_stands_alone_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "head.json"
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_writer_that_dies_leaves_the_old_content_and_the_next_one_clears_up(tmp_path: Path) -> None:
    path = tmp_path / "head.json"
    replace_file(path, b"old")
    died = subprocess.run([sys.executable, "-c", _DIES_BEFORE_THE_RENAME, str(path)], check=False, timeout=30)
    assert died.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_its_way_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"untouched")
    path = tmp_path / "folder" / "head.json"
    path.parent.mkdir()
    path.with_name(".head.json.new").symlink_to(other)
    with pytest.raises(OSError, match="symbolic"):
        replace_file(path, b"new")
    assert other.read_bytes() == b"untouched"
