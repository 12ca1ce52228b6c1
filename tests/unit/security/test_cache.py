"""What is kept is what was asked, by the same tool; an error, a tag, or another database is asked again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aegis.model.refs import ObjectRef
from aegis.model.scan import Coverage, Image, Manifests, Runtime, ScanResult, ScanStatus, Source, Subject, Tool, Url
from aegis.model.security import Category, SecurityFinding, Severity
from aegis.security.cache import ScanCache, cache_key, subject_key
from aegis.security.desk import ScanRules

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
TOOL = Tool(name="trivy", version="0.74.0", digest="sha256:aa", database=NOW - timedelta(days=1))
PINNED = Image(reference="shop/web@sha256:" + "ab" * 32)
KEY = "sha256:" + "0" * 64


def result(status: ScanStatus = ScanStatus.FINDINGS, **more: Any) -> ScanResult:
    finding = SecurityFinding(
        source="trivy",
        rule_id="CVE-1",
        severity=Severity.HIGH,
        title="t",
        description="d",
        subject=ObjectRef(api_version="v1", kind="Image", name="x"),
        category=Category.VULNERABILITY,
        aliases=("GHSA-1",),
    )
    fields: dict[str, Any] = {"coverage": Coverage(expected=("a",), scanned=("a",)), "details": {"x": [1, {"y": None}]}}
    return ScanResult(scanner="trivy", status=status, findings=(finding,), tool=TOOL, seconds=1.5, **{**fields, **more})


def test_what_is_kept_comes_back_and_says_of_when_it_is(tmp_path: Path) -> None:
    cache = ScanCache(folder=tmp_path / "deep" / "results")
    assert cache.find(KEY, now=NOW) is None
    cache.keep(KEY, result(), now=NOW)
    found = cache.find(KEY, now=NOW + timedelta(hours=1))
    assert found is not None
    assert found.coverage.notes == ("as looked at 2026-06-01 12:00 UTC",)
    assert replace(found, coverage=result().coverage) == result()
    assert (tmp_path / "deep" / "results").stat().st_mode & 0o077 == 0
    assert [file.name for file in (tmp_path / "deep" / "results").iterdir()] == ["0" * 64 + ".json"]


@pytest.mark.parametrize("status", [ScanStatus.ERROR, ScanStatus.TIMEOUT, ScanStatus.PARTIAL, ScanStatus.SKIPPED])
def test_what_is_not_complete_is_never_kept(tmp_path: Path, status: ScanStatus) -> None:
    cache = ScanCache(folder=tmp_path)
    cache.keep(KEY, result(status), now=NOW)
    assert cache.find(KEY, now=NOW) is None


def test_what_is_old_or_of_the_future_or_broken_or_under_another_name_is_not_there(tmp_path: Path) -> None:
    cache = ScanCache(folder=tmp_path)
    cache.keep(KEY, result(), now=NOW)
    (file,) = tmp_path.iterdir()
    assert cache.find(KEY, now=NOW + timedelta(days=7)) is None
    assert cache.find(KEY, now=NOW - timedelta(seconds=1)) is None
    (tmp_path / ("1" * 64 + ".json")).write_bytes(file.read_bytes())
    assert cache.find("sha256:" + "1" * 64, now=NOW) is None
    file.write_bytes(file.read_bytes()[:-10])
    assert cache.find(KEY, now=NOW) is None


def test_a_folder_in_which_nothing_can_be_kept_is_no_failure(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    ScanCache(folder=blocked / "results").keep(KEY, result(), now=NOW)


def test_only_so_many_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis.security.cache._ENTRIES", 3)
    cache = ScanCache(folder=tmp_path)
    for number in range(6):
        cache.keep(f"sha256:{number:064d}", result(), now=NOW)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    "subject",
    [
        Image(reference="nginx:1.27"),
        Image(reference="nginx@sha256:" + "ab" * 32, layerless="none"),
        Image(reference="x", archive=Path("/nowhere.tar")),
        Source(path=Path("/etc")),
        Url(url="http://127.0.0.1"),
        Runtime(namespace="x", since=NOW, until=NOW),
    ],
)
def test_what_may_change_under_its_name_has_no_key(subject: Subject) -> None:
    assert subject_key(subject) == ""
    assert cache_key(subject, "trivy", TOOL, ScanRules()) == ""


def test_an_archive_is_known_by_its_content(tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"1")
    first = subject_key(Image(reference="x", archive=archive))
    archive.write_bytes(b"2")
    assert first != subject_key(Image(reference="x", archive=archive)) != ""


def test_whatever_decides_is_part_of_the_key() -> None:
    keys = {
        cache_key(PINNED, "trivy", TOOL, ScanRules()),
        cache_key(replace(PINNED, platform="linux/arm64"), "trivy", TOOL, ScanRules()),
        cache_key(PINNED, "other", TOOL, ScanRules()),
        cache_key(PINNED, "trivy", replace(TOOL, version="0.75.0"), ScanRules()),
        cache_key(PINNED, "trivy", replace(TOOL, digest="sha256:bb"), ScanRules()),
        cache_key(PINNED, "trivy", replace(TOOL, database=NOW), ScanRules()),
        cache_key(PINNED, "trivy", TOOL, ScanRules(trivy_scratch=("x",))),
        cache_key(Manifests(objects=({"a": 1},)), "trivy", TOOL, ScanRules()),
        cache_key(Manifests(objects=({"a": 2},)), "trivy", TOOL, ScanRules()),
    }
    assert len(keys) == 9
    assert "" not in keys


@pytest.mark.parametrize(
    "tool",
    [replace(TOOL, version=""), replace(TOOL, digest=""), replace(TOOL, absent="no"), replace(TOOL, database=None)],
)
def test_a_tool_that_is_not_known_exactly_has_no_key(tool: Tool) -> None:
    assert cache_key(PINNED, "trivy", tool, ScanRules()) == ""


def test_a_token_is_no_part_of_what_is_written() -> None:
    assert cache_key(PINNED, "trivy", TOOL, ScanRules(trivy_token="a")) == cache_key(
        PINNED, "trivy", TOOL, ScanRules(trivy_token="b")
    )
