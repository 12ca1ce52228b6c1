"""Which trivy and which database is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aegis.security.trivytool import database

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize("version", ["0.69.4", "0.69.5", "0.69.6", "v0.69.4", "0.69.5-rc1", "0.69.6+dirty"])
def test_releases_that_are_refused(version: str) -> None:
    assert "malicious" in database.refusal(version)


@pytest.mark.parametrize("version", ["0.69.3", "0.69.7", "0.69.40", "0.74.0", ""])
def test_releases_that_are_not(version: str) -> None:
    assert database.refusal(version) == ""


@pytest.mark.parametrize(
    ("age", "word"),
    [(None, "no vulnerability database"), (-2.0, "not yet"), (-0.5, ""), (0, ""), (13.9, ""), (14.1, "14 days old")],
)
def test_the_age_of_a_database(age: float | None, word: str) -> None:
    moment = None if age is None else NOW - timedelta(days=age)
    said = database.doubt(moment, now=NOW, days=14)
    assert (word in said) if word else said == ""


def test_a_program_is_known_by_its_bytes_and_read_again_when_they_change(tmp_path: Path) -> None:
    file = tmp_path / "trivy"
    file.write_bytes(b"\x7fELF" + b"x" * 5000 + b"-X=github.com/aquasecurity/trivy/pkg/version/app.ver=0.74.0 ")
    first = database.inspect(file)
    assert first.version == "0.74.0"
    file.write_bytes(b"other")
    assert database.inspect(file).version == ""
    assert database.inspect(file).digest != first.digest
    file.write_bytes(b"")
    assert database.inspect(file).digest.startswith("sha256:e3b0c442")


def test_a_database_that_is_replaced_has_another_mark(tmp_path: Path) -> None:
    assert database.mark(tmp_path) is None
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "trivy.db").write_bytes(b"a")
    before = database.mark(tmp_path)
    (tmp_path / "db" / "new").write_bytes(b"b")
    (tmp_path / "db" / "new").replace(tmp_path / "db" / "trivy.db")
    assert database.mark(tmp_path) != before
