"""Marks are equal for equal secrets, and nothing outside of the folder is read for one."""

from __future__ import annotations

from pathlib import Path

from aegis.security.trivytool.seal import Seal


def test_equal_for_equal_secrets_wherever_they_are(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"GH=token\n")
    (tmp_path / "b").write_bytes(b"# moved\nGH=token\n")
    seal = Seal(base=tmp_path, salt="one")
    assert seal.of_file("a", 3, 5) == seal.of_file("b", 11, 5) == seal.of_text("token")
    assert Seal(base=tmp_path, salt="other").of_text("token") != seal.of_text("token")
    assert "token" not in seal.of_text("token")
    assert "one" not in repr(seal)


def test_what_cannot_be_read_has_none(tmp_path: Path) -> None:
    inner = tmp_path / "in"
    inner.mkdir()
    (tmp_path / "secret").write_bytes(b"outside")
    (inner / "link").symlink_to(tmp_path / "secret")
    seal = Seal(base=inner, salt="one")
    for name, offset, length in (("../secret", 0, 7), ("link", 0, 7), ("none", 0, 7), ("link", -1, 7), ("link", 0, 0)):
        assert seal.of_file(name, offset, length) == ""
    assert seal.of_text("") == ""
