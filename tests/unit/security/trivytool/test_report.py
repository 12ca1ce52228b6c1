"""A report is one, or is said to be none; nothing that a tool writes raises anything else."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trivy_reports import fault, image_report, os_section

from aegis.security.trivytool.report import System, Unusable, database_time, moment, read_object, read_report

REPORT = image_report(os_section(fault("CVE-2024-1", "zlib1g")), ended=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_a_report_is_read() -> None:
    report = read_report(json.dumps(REPORT).encode())
    (section,) = report.sections
    assert report.system == System(family="debian", release="12.5", ended=True)
    assert (report.version, report.name, report.image_id, report.layers) == ("0.74.0", "shop.tar", "sha256:aa", 1)
    assert (section.kind, section.packages, len(section.vulnerabilities)) == ("os-pkgs", 1, 1)
    assert report.of("lang-pkgs", "config") == ()


def test_passed_checks_are_no_findings() -> None:
    entry = {"Class": "config", "Misconfigurations": [{"Status": "PASS"}, {"Status": "FAIL"}, {}]}
    (section,) = read_report(json.dumps({"SchemaVersion": 2, "Results": [entry]}).encode()).sections
    assert [item.get("Status") for item in section.misconfigurations] == ["FAIL", None]


@pytest.mark.parametrize("cut", range(0, len(json.dumps(REPORT)), 37))
def test_a_report_that_was_cut_off_is_none(cut: int) -> None:
    with pytest.raises(Unusable):
        read_report(json.dumps(REPORT).encode()[:cut])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no report"),
        (b" \n", "no report"),
        (b"null", "no JSON object"),
        (b"[]", "no JSON object"),
        (b"<html>", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": 1}{"b": 2}', "not JSON"),
        (b"{}", "schema version"),
        (b'{"SchemaVersion": 1}', "schema version"),
        (b'{"SchemaVersion": 2, "Results": {}}', "no list at Results"),
        (b'{"SchemaVersion": 2, "Results": [1]}', "else than objects at Results"),
        (b'{"SchemaVersion": 2, "Results": [{"Vulnerabilities": ["x"]}]}', "at Vulnerabilities"),
        (b'{"SchemaVersion": 2, "Results": [{"Packages": 1}]}', "no list at Packages"),
        (b'{"SchemaVersion": 2, "Metadata": []}', "no object at Metadata"),
        (b'{"SchemaVersion": 2, "Trivy": {"Server": {"VulnerabilityDB": {"UpdatedAt": "soon"}}}}', "is no time"),
    ],
)
def test_what_is_no_report(data: bytes, why: str) -> None:
    with pytest.raises(Unusable, match=why):
        read_report(data)


@given(place=st.lists(st.sampled_from(["Results", "Metadata", "Trivy", "OS"]), min_size=1, max_size=1), value=JSON)
@settings(max_examples=50)
def test_any_json_in_any_place_is_read_or_refused(place: list[str], value: Any) -> None:
    with contextlib.suppress(Unusable):
        read_report(json.dumps({**REPORT, place[0]: value}).encode())


@given(data=st.binary(max_size=60))
@settings(max_examples=50)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(Unusable):
        read_object(data)


def test_times_as_go_writes_them() -> None:
    assert moment("2026-05-31T12:00:00.123456789Z") == datetime(2026, 5, 31, 12, 0, 0, 123456, tzinfo=UTC)
    assert moment("2026-05-31T14:00:00+02:00") == datetime(2026, 5, 31, 12, tzinfo=UTC)
    assert database_time({"Version": "0.74.0"}) is None
    with pytest.raises(Unusable):
        database_time({"VulnerabilityDB": {"UpdatedAt": ""}})
