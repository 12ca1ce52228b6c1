"""The real trivy against images and a database that are written here: nothing is downloaded."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from image_registry import digest, manifest, registry
from oci_image import alpine, blobs, debian, java_archive, python_package, write_image
from trivy_database import library_advisory, os_advisory, vulnerability, write_database

from aegis.model.scan import Image, ScanResult, ScanStatus
from aegis.model.security import SecurityComparison, Severity
from aegis.security.desk import Desk, ScanRules
from aegis.security.scanners.trivy import PLUGIN
from aegis.security.trivytool import asking, canary
from aegis.security.trivytool.report import System

SSL, ZLIB = ("libssl3", "openssl"), ("zlib1g", "zlib")
ADVISORIES: dict[str, dict[str, dict[str, Any]]] = {
    "debian 12": {
        "openssl": {
            "CVE-2024-1001": os_advisory("3.0.15-1~deb12u1", "DSA-5001-1"),
            "CVE-2024-1002": os_advisory("3.0.20-1"),
        },
        "zlib": {"CVE-2023-1003": os_advisory("")},
    },
    "alpine 3.22": {"openssl": {"CVE-2024-1001": os_advisory("3.5.1-r0")}},
    "debian 10": {"openssl": {"CVE-2024-1001": os_advisory("3.0.15-1~deb12u1")}},
    "pip::GitHub Security Advisory Pip": {
        "django": {"CVE-2024-1004": library_advisory("<4.2.10", "4.2.10", "GHSA-aaaa-bbbb-cccc")}
    },
    "pip::Open Source Vulnerability": {
        "django": {"GHSA-aaaa-bbbb-cccc": library_advisory(">=4.2.10,<5.2.10", "5.2.10", "CVE-2024-1004")}
    },
}
DETAILS = {
    "CVE-2024-1001": vulnerability("HIGH", "use after free"),
    "CVE-2024-1002": vulnerability("CRITICAL", "overflow"),
    "CVE-2023-1003": vulnerability("LOW", "slow"),
    "CVE-2024-1004": vulnerability("MEDIUM", "injection"),
    "GHSA-aaaa-bbbb-cccc": vulnerability("MEDIUM", "injection"),
}
BEFORE: tuple[dict[str, str | bytes], ...] = (
    debian("12.5", [(*SSL, "3.0.11-1~deb12u2"), (*ZLIB, "1:1.2.13.dfsg-1")]),
    python_package("Django", "4.2.5"),
)
AFTER: tuple[dict[str, str | bytes], ...] = (
    debian("12.6", [(*SSL, "3.0.15-1~deb12u1"), (*ZLIB, "1:1.2.13.dfsg-1")]),
    python_package("Django", "4.2.11"),
)

MakeDesk = Callable[..., Desk]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_database(tmp_path_factory.mktemp("cache"), ADVISORIES, DETAILS)


@pytest.fixture
def desk(tool: Callable[[str], Path], tools_path: str, database: Path) -> MakeDesk:
    def make(cache: Path = database, **rules: Any) -> Desk:
        return Desk(rules=ScanRules(programs={"trivy": tool("trivy")}, trivy_cache=cache, **rules), path=tools_path)

    return make


async def scan_image(at: Desk, folder: Path, *layers: dict[str, str | bytes], reference: str = "shop:1") -> ScanResult:
    archive = write_image(folder / f"{reference.replace(':', '-')}.tar", *layers, tag=reference)
    return await PLUGIN.scan(Image(reference=reference, archive=archive), at)


# ── before and after ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_fault_mended_none_new_and_three_left(desk: MakeDesk, tmp_path: Path) -> None:
    before = await scan_image(desk(), tmp_path, *BEFORE, reference="shop:1")
    after = await scan_image(desk(), tmp_path, *AFTER, reference="shop:2")
    assert (before.status, after.status) == (ScanStatus.FINDINGS, ScanStatus.FINDINGS)
    assert (len(before.findings), len(after.findings)) == (4, 3)
    change = SecurityComparison(before=before.findings, after=after.findings)
    assert [item.rule_id for item in change.fixed] == ["CVE-2024-1001"]
    assert change.new == ()
    assert {item.rule_id for item in change.same} == {"CVE-2024-1002", "CVE-2023-1003", "GHSA-aaaa-bbbb-cccc"}
    assert before.tool == after.tool
    assert before.coverage.missing == after.coverage.missing == ()


async def test_keys_with_a_version_or_one_id_would_tell_of_new_faults_that_are_none(
    desk: MakeDesk, tmp_path: Path
) -> None:
    before = await scan_image(desk(), tmp_path, *BEFORE, reference="shop:1")
    after = await scan_image(desk(), tmp_path, *AFTER, reference="shop:2")
    whole = {(item.rule_id, item.purl) for item in after.findings} - {(i.rule_id, i.purl) for i in before.findings}
    one_id = {(item.rule_id, item.package) for item in after.findings} - {
        (item.rule_id, item.package) for item in before.findings
    }
    assert (len(whole), len(one_id)) == (3, 1)


async def test_a_finding_carries_what_a_person_needs(desk: MakeDesk, tmp_path: Path) -> None:
    result = await scan_image(desk(), tmp_path, *BEFORE)
    found = {item.rule_id: item for item in result.findings}
    django = found["CVE-2024-1004"]
    assert (django.package, django.installed_version, django.fixed_version) == ("Django", "4.2.5", "4.2.10")
    assert django.aliases == ("GHSA-aaaa-bbbb-cccc",)
    assert django.severity is Severity.MEDIUM
    assert django.purl == "pkg:pypi/django@4.2.5"
    assert str(django.subject) == "Image/shop:1"
    assert found["CVE-2023-1003"].fixed_version == ""
    assert result.tool.version == "0.74.0" or result.tool.version
    assert result.tool.digest.startswith("sha256:")
    assert result.raw_digest.startswith("sha256:")
    assert result.details["os"] == "debian 12.5"


async def test_an_image_whose_packages_have_no_fault_is_clean(desk: MakeDesk, tmp_path: Path) -> None:
    result = await scan_image(
        desk(), tmp_path, debian("12.6", [(*SSL, "3.0.20-1")]), python_package("Django", "5.2.10")
    )
    assert (result.status, result.reason) == (ScanStatus.CLEAN, "")
    assert result.coverage.scanned == ("packages of debian 12.6", "python-pkg packages of Python")


async def test_two_scans_at_once_share_the_database(desk: MakeDesk, tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        one = group.create_task(scan_image(desk(), tmp_path, *BEFORE, reference="shop:1"))
        two = group.create_task(scan_image(desk(), tmp_path, *AFTER, reference="shop:2"))
    assert (len(one.result().findings), len(two.result().findings)) == (4, 3)


# ── silence that is no proof ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_system_without_updates_is_a_finding_of_its_own(desk: MakeDesk, tmp_path: Path) -> None:
    result = await scan_image(desk(), tmp_path, debian("10.1", [(*SSL, "3.0.15-1~deb12u1")]))
    assert [item.rule_id for item in result.findings] == ["os-end-of-life"]
    assert result.findings[0].severity is Severity.HIGH
    assert "no security updates" in result.coverage.notes[0]


async def test_a_fault_of_unknown_severity_stays_unknown(desk: MakeDesk, tmp_path: Path) -> None:
    cache = write_database(
        tmp_path / "cache", {"debian 12": {"zlib": {"CVE-2099-1": os_advisory("")}}}, {"CVE-2099-1": {"Title": "new"}}
    )
    result = await scan_image(desk(cache), tmp_path, debian("12.5", [(*ZLIB, "1")]))
    assert [(item.rule_id, item.severity) for item in result.findings] == [("CVE-2099-1", Severity.UNKNOWN)]


@pytest.mark.parametrize(
    ("layers", "word"),
    [
        pytest.param(({"app": "x"},), "packages of any kind", id="no package"),
        pytest.param((debian("99.1", [(*SSL, "0.1")]),), "knows nothing of debian 99.1", id="a release nobody knows"),
        pytest.param((debian("12.5", []),), "packages of debian 12.5", id="a list of packages that was removed"),
        pytest.param(
            (alpine("3.22.1", [("musl", "1.2.5-r1")]), {"app/package.json": '{"name": "web", "version": "1.0.0"}'}),
            "knows nothing of npm packages",
            id="a language of which the database knows nothing",
        ),
    ],
)
async def test_silence_that_proves_nothing_is_partial(
    desk: MakeDesk, tmp_path: Path, layers: tuple[dict[str, str | bytes], ...], word: str
) -> None:
    result = await scan_image(desk(), tmp_path, *layers)
    assert result.status is ScanStatus.PARTIAL
    assert result.coverage.missing
    assert word in result.reason


async def test_an_image_may_be_declared_to_hold_no_package(desk: MakeDesk, tmp_path: Path) -> None:
    result = await scan_image(desk(trivy_scratch=("shop:1",)), tmp_path, {"app": "x"})
    assert result.status is ScanStatus.CLEAN


async def test_an_image_without_layers_is_skipped(desk: MakeDesk, tmp_path: Path) -> None:
    result = await scan_image(desk(), tmp_path)
    assert result.status is ScanStatus.SKIPPED
    assert "no layers" in result.reason


@pytest.mark.parametrize(
    ("family", "release", "source"),
    [
        ("debian", "12.5", "debian 12"),
        ("ubuntu", "22.04", "ubuntu 22.04"),
        ("alpine", "3.22.1", "alpine 3.22"),
        ("wolfi", "20230201", "wolfi"),
        ("chainguard", "20230201", "chainguard"),
        ("alma", "9.4", "alma 9"),
        ("rocky", "9.4", "rocky 9"),
        ("oracle", "9.4", "Oracle Linux 9"),
        ("amazon", "2023.5.20240708 (Amazon Linux)", "amazon linux 2023"),
        ("photon", "5.0", "Photon OS 5.0"),
        ("azurelinux", "3.0", "Azure Linux 3.0"),
        ("opensuse-leap", "15.6", "openSUSE Leap 15.6"),
        ("opensuse-tumbleweed", "20240101", "openSUSE Tumbleweed"),
        ("sles", "15.6", "SUSE Linux Enterprise 15.6"),
        ("slem", "5.5", "SUSE Linux Enterprise Micro 5.5"),
        ("cbl-mariner", "2.0.20240101", "CBL-Mariner 2.0"),
        ("minimos", "20240101", "minimos"),
        ("echo", "1", "echo"),
        ("redhat", "9.4", "Red Hat"),
        ("redhat", "8.10", "Red Hat"),
        ("centos", "7.9", "Red Hat"),
    ],
)
async def test_the_canary_sings_for_every_system_that_it_claims(
    desk: MakeDesk, tmp_path: Path, family: str, release: str, source: str
) -> None:
    entry = {"FixedVersion": "1.0-1", "Arches": ["x86_64"], "VendorIDs": ["X-1"]}
    of_red_hat = {"Affected": [1], "Cves": [{"ID": "CVE-2024-1001", "Severity": 3}]}
    advisory = {"FixedVersion": "1.0-1", "Entries": [{**entry, **of_red_hat}]}
    repositories = ("rhel-7-server-rpms", "rhel-8-for-x86_64-baseos-rpms", "rhel-9-for-x86_64-baseos-rpms")
    advisories: dict[str, dict[str, dict[str, Any]]] = {
        source: {"openssl": {"CVE-2024-1001": advisory}},
        "Red Hat CPE": {"repository": {name: [1] for name in repositories}, "nvr": {"none": [2]}},
    }
    cache = write_database(tmp_path / "cache", advisories, DETAILS)
    at = desk(cache)
    system = System(family=family, release=release)
    program = at.program("trivy")
    assert program
    async with asking.bench(at, program) as bench:
        sung = await asking.sing(bench, system)
    assert canary.spoken(sung) == {canary.OS}


async def test_the_canary_sings_for_every_language(desk: MakeDesk, tmp_path: Path) -> None:
    names = {
        "pip": "django",
        "npm": "lodash",
        "maven": "org.apache.logging.log4j:log4j-core",
        "go": "golang.org/x/crypto",
        "rubygems": "rack",
        "composer": "phpunit/phpunit",
        "cargo": "time",
        "nuget": "newtonsoft.json",
    }
    advisories: dict[str, dict[str, dict[str, Any]]] = {
        f"{ecosystem}::Test": {name: {"CVE-2024-1001": library_advisory("<99.0.0", "99.0.0")}}
        for ecosystem, name in names.items()
    }
    at = desk(write_database(tmp_path / "cache", advisories, DETAILS))
    program = at.program("trivy")
    assert program
    async with asking.bench(at, program) as bench:
        sung = await asking.sing(bench, None)
    assert canary.spoken(sung) == set(names)


# ── the database ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _empty(folder: Path) -> Path:
    return write_database(folder, {}, {})


def _old(folder: Path) -> Path:
    return write_database(folder, ADVISORIES, DETAILS, updated=datetime(2020, 1, 1, tzinfo=UTC))


def _future(folder: Path) -> Path:
    return write_database(folder, ADVISORIES, DETAILS, updated=datetime.now(UTC) + timedelta(days=30))


def _damaged(folder: Path) -> Path:
    (write_database(folder, ADVISORIES, DETAILS) / "db" / "trivy.db").write_bytes(b"no database" * 4096)
    return folder


def _another_schema(folder: Path) -> Path:
    file = write_database(folder, ADVISORIES, DETAILS) / "db" / "metadata.json"
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), "Version": 1}), encoding="utf-8")
    return folder


def _without_file(folder: Path) -> Path:
    (write_database(folder, ADVISORIES, DETAILS) / "db" / "trivy.db").unlink()
    return folder


def _none(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (_empty, "is empty"),
        (_old, "days old"),
        (_future, "not yet"),
        (_damaged, "damaged"),
        (_another_schema, "another schema"),
        (_without_file, "no vulnerability database"),
        (_none, "no vulnerability database"),
    ],
)
async def test_a_database_that_cannot_be_believed_is_an_error(
    desk: MakeDesk, tmp_path: Path, make: Callable[[Path], Path], word: str
) -> None:
    clean = debian("12.6", [(*SSL, "3.0.20-1")])
    result = await scan_image(desk(make(tmp_path / "cache")), tmp_path, clean)
    assert (result.status, result.findings) == (ScanStatus.ERROR, ())
    assert word in result.reason


async def test_java_archives_without_their_index_are_an_error_with_the_remedy(desk: MakeDesk, tmp_path: Path) -> None:
    layer = {**debian("12.6", [(*SSL, "3.0.20-1")]), "app/web.jar": java_archive("web")}
    result = await scan_image(desk(), tmp_path, layer)
    assert (result.status, "--download-java-db-only" in result.reason) == (ScanStatus.ERROR, True)


# ── what may not have a say ──────────────────────────────────────────────────────────────────────────────────────────


async def test_nothing_that_lies_about_has_a_say(
    desk: MakeDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trivy.yaml").write_text("severity: [CRITICAL]\n", encoding="utf-8")
    (tmp_path / ".trivyignore").write_text("CVE-2024-1002\nCVE-2024-1001\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIVY_SEVERITY", "LOW")
    monkeypatch.setenv("TRIVY_IGNOREFILE", str(tmp_path / ".trivyignore"))
    result = await scan_image(desk(), tmp_path, *BEFORE)
    assert len(result.findings) == 4


async def test_a_reference_cannot_be_an_option(desk: MakeDesk, tmp_path: Path) -> None:
    result = await PLUGIN.scan(Image(reference=f"--output={tmp_path / 'made'}"), desk())
    assert result.status is ScanStatus.ERROR
    assert "no image reference" in result.reason
    assert not (tmp_path / "made").exists()


async def test_time_that_is_up_is_a_timeout_and_leaves_nothing(desk: MakeDesk, tmp_path: Path) -> None:
    result = await scan_image(desk(timeouts={"trivy": 0.02}), tmp_path, *BEFORE)
    assert result.status is ScanStatus.TIMEOUT
    assert "did not end within" in result.reason


# ── a registry, a server ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with registry({"shop": blobs(*BEFORE)}) as where:
        yield where


async def test_an_image_is_pulled_by_tag_and_by_digest(desk: MakeDesk, host: str) -> None:
    name = digest(manifest(blobs(*BEFORE)))
    for reference in (f"{host}/shop:1", f"{host}/shop@{name}"):
        result = await PLUGIN.scan(Image(reference=reference, platform="linux/amd64"), desk())
        assert len(result.findings) == 4
        assert result.details["digests"] == [f"{host}/shop@{name}"]


@pytest.mark.parametrize(
    ("name", "word"),
    [("missing", "no such image"), ("private", "refuses the image"), ("busy", "no more requests")],
)
async def test_a_pull_that_is_refused_is_an_error_with_its_reason(
    desk: MakeDesk, host: str, name: str, word: str
) -> None:
    result = await PLUGIN.scan(Image(reference=f"{host}/{name}:1"), desk())
    assert result.status is ScanStatus.ERROR
    assert word in result.reason


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        time.sleep(0.05)
        return False


@contextmanager
def server(program: Path, cache: Path, folder: Path, token: str) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = [str(program), "server", "--listen", f"127.0.0.1:{port}", "--skip-db-update", "--config", "/dev/null"]
    env = {"PATH": os.defpath, "HOME": str(folder), "TRIVY_TOKEN": token}
    process = subprocess.Popen(
        [*argv, "--cache-dir", str(cache)], env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while not _answers(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)


async def test_a_server_looks_and_its_database_is_judged(
    desk: MakeDesk, tmp_path: Path, tool: Callable[[str], Path]
) -> None:
    cache = write_database(tmp_path / "server", ADVISORIES, DETAILS)
    with server(tool("trivy"), cache, tmp_path, "secret-token") as url:
        at = desk(tmp_path / "nothing", trivy_server=url, trivy_token="secret-token")
        result = await scan_image(at, tmp_path, *BEFORE)
        clean = await scan_image(at, tmp_path, debian("12.6", [(*SSL, "3.0.20-1")]), reference="clean:1")
        stranger = desk(tmp_path / "nothing", trivy_server=url, trivy_token="wrong")
        refused = await scan_image(stranger, tmp_path, *BEFORE)
    assert (len(result.findings), clean.status) == (4, ScanStatus.CLEAN)
    assert result.tool.database is not None
    assert "(server 0." in result.tool.version
    assert (refused.status, "token" in refused.reason) == (ScanStatus.ERROR, True)
    gone = await scan_image(at, tmp_path, *BEFORE)
    assert (gone.status, "does not answer" in gone.reason) == (ScanStatus.ERROR, True)


async def test_an_old_database_of_a_server_is_an_error(
    desk: MakeDesk, tmp_path: Path, tool: Callable[[str], Path]
) -> None:
    with server(tool("trivy"), _old(tmp_path / "server"), tmp_path, "") as url:
        result = await scan_image(desk(trivy_server=url), tmp_path, *BEFORE)
    assert (result.status, "days old" in result.reason) == (ScanStatus.ERROR, True)
