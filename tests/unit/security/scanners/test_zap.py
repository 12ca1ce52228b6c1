"""ZAP by Docker: a fake daemon whose containers really run, and really ask a service, and every way in which they end badly."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from fake_docker import IMAGE_ID, FakeDocker, installed
from fake_tool import EXPECTED, FakeTool, Fault
from web_service import SAFE, serving

from aegis.model.scan import Manifests, ScanStatus, Url
from aegis.model.security import Category, Severity
from aegis.ports import Scanner
from aegis.security.desk import Desk, ScanRules
from aegis.security.scanners.zap import PLUGIN, look
from aegis.security.zaproxy.container import run_arguments

ERROR, TIMEOUT, SKIPPED, PARTIAL = ScanStatus.ERROR, ScanStatus.TIMEOUT, ScanStatus.SKIPPED, ScanStatus.PARTIAL


def desk(docker: FakeDocker, seconds: float = 30.0) -> Desk:
    return Desk(
        rules=ScanRules(programs={"docker": docker.program}, docker_host=docker.host, timeouts={"zap": seconds})
    )


def test_it_is_a_scanner_of_urls_that_are_reachable_from_here() -> None:
    scanner: Scanner = PLUGIN
    assert scanner.accepts(Url(url="http://127.0.0.1/"))
    assert not scanner.accepts(Url(url="http://web/", namespace="aegis-shadow-x-c"))
    assert not scanner.accepts(Manifests(objects=()))


async def test_faults_are_found_and_the_proof_that_it_looked(tmp_path: Path) -> None:
    async with installed(tmp_path, image="here") as docker, serving() as url:
        result = await PLUGIN.scan(Url(url=url), desk(docker))
    assert result.status is ScanStatus.FINDINGS, result.reason
    assert {(one.rule_id, one.severity, one.category) for one in result.findings} == {
        ("10038-1", Severity.MEDIUM, Category.WEB),
        ("10021", Severity.LOW, Category.WEB),
    }
    assert {"GET /", "GET /a"} <= {one.location for one in result.findings}
    assert result.coverage.scanned == (url,)
    assert result.tool.version == "2.17.0"
    assert result.tool.digest == IMAGE_ID
    assert result.raw_digest.startswith("sha256:")
    assert result.details["summary"] == {"high": 0, "medium": 1, "low": 1, "info": 0}


async def test_a_service_without_faults_is_clean_and_the_container_is_confined(tmp_path: Path) -> None:
    async with installed(tmp_path) as docker, serving(SAFE) as url:
        result = (await look(url, desk(docker))).result
        arguments = " ".join(docker.run_arguments())
        assert not docker.containers
    assert (result.status, result.findings) == (ScanStatus.CLEAN, ())
    assert ["pull", "--quiet", "ghcr.io/zaproxy/zaproxy:stable"] in docker.calls
    for flag in ("--rm", "--pull never", "--user 1000", "--cap-drop ALL", "no-new-privileges", "--network host"):
        assert flag in arguments
    assert [call[0] for call in docker.calls] == ["version", "image", "pull", "image", "run", "ps"]


async def test_an_exit_status_decides_nothing(tmp_path: Path) -> None:
    async with installed(tmp_path, image="here", mode="3") as docker, serving(SAFE) as url:
        result = (await look(url, desk(docker))).result
    assert result.status is ScanStatus.CLEAN
    assert any("status 3" in note for note in result.coverage.notes)


FAULTS = {
    "stderr-only": (ERROR, "status 3 and wrote no report: Exception in thread main"),
    "unwritable": (ERROR, "status 0 and wrote no report: WARNING: job report failed"),
    "killed": (ERROR, "status 137 and wrote no report"),
    "truncated": (ERROR, "no whole JSON"),
    "huge": (ERROR, "larger than 64 MiB"),
    "link": (ERROR, "wrote no report"),
    "no-insights": (PARTIAL, "insights"),
}


@pytest.mark.parametrize("mode", FAULTS)
async def test_a_scan_that_ends_badly_is_never_clean(tmp_path: Path, mode: str) -> None:
    status, words = FAULTS[mode]
    async with installed(tmp_path, image="here", mode=mode) as docker, serving(SAFE) as url:
        result = (await look(url, desk(docker))).result
        assert not docker.containers
    assert (result.status, result.findings, result.coverage.scanned) == (status, (), ())
    assert words in result.reason
    assert "s3cr3tvalue99" not in result.reason
    assert "\x1b" not in result.reason
    assert "root:x:0" not in json.dumps(result.to_dict())


async def test_a_service_that_only_fails_is_no_pass(tmp_path: Path) -> None:
    async with installed(tmp_path, image="here") as docker, serving(SAFE, status=500) as url:
        result = (await look(url, desk(docker))).result
    assert (result.status, result.coverage.scanned) == (PARTIAL, ())
    assert "100 % of the answers were 5xx" in result.reason


async def test_a_service_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    async with serving() as url:
        gone = url
    async with installed(tmp_path, image="here") as docker:
        result = (await look(gone, desk(docker))).result
    assert result.status is ERROR
    assert "found no URL" in result.reason


async def test_a_scan_that_hangs_loses_its_container(tmp_path: Path) -> None:
    async with installed(tmp_path, image="here", mode="hang") as docker, serving() as url:
        result = (await look(url, desk(docker, seconds=1.0))).result
        assert not docker.containers
        name = docker.run_arguments()[docker.run_arguments().index("--name") + 1]
        assert docker.names("kill") == docker.names("rm") == {name}
    assert result.status is TIMEOUT


async def test_who_gives_the_scan_up_leaves_no_container(tmp_path: Path) -> None:
    async with installed(tmp_path, image="here", mode="hang") as docker, serving() as url:
        async with asyncio.TaskGroup() as group:
            scan = group.create_task(look(url, desk(docker)))
            await docker.started.wait()
            scan.cancel()
        assert scan.cancelled()
        assert not docker.containers
        assert docker.names("rm")


@pytest.mark.parametrize(
    ("plan", "status", "words"),
    [
        ({"daemon": "down"}, SKIPPED, "not reachable: Cannot connect"),
        ({"daemon": "forbidden"}, SKIPPED, "not reachable: permission denied"),
        ({"daemon": "broken"}, ERROR, "Docker does not work: something else is wrong"),
        ({"image": "refused"}, ERROR, "cannot be pulled: Error response from daemon: manifest"),
        ({"image": "slow"}, TIMEOUT, "did not end within"),
        ({"image": "here", "run": "no space left on device"}, ERROR, "status 125 and wrote no report: docker: Error"),
    ],
)
async def test_what_docker_itself_refuses(tmp_path: Path, plan: dict[str, str], status: ScanStatus, words: str) -> None:
    async with installed(tmp_path, **plan) as docker, serving() as url:
        result = (await look(url, desk(docker, seconds=1.0 if status is TIMEOUT else 30.0))).result
    assert result.status is status
    assert words in result.reason
    assert bool(result.tool.absent) == (status is SKIPPED)


@pytest.mark.parametrize("fault", [Fault.MISSING, Fault.KILLED_PARENT, Fault.HUGE, Fault.DISK_FULL])
async def test_the_command_itself_may_fail_in_every_way(tmp_path: Path, fault: Fault) -> None:
    probes = {"version": "28.2.2", "inspect": IMAGE_ID, "ps": "", "kill": "", "rm": ""}
    tool = FakeTool.install(tmp_path, "docker", probes=probes, fault=fault, needs="run")
    rules = ScanRules(programs={"docker": tool.path}, timeouts={"zap": tool.seconds})
    result = (await look("http://127.0.0.1:9/", Desk(rules=rules, path="/usr/bin:/bin"))).result
    assert result.status in EXPECTED[fault], result.reason
    assert result.coverage.scanned == ()
    await tool.assert_nothing_is_left()


async def test_a_disk_that_is_full_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with installed(tmp_path, image="here") as docker:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "full"))
        result = (await look("http://127.0.0.1/", desk(docker))).result
    assert result.status is ERROR
    assert "no folder can be made" in result.reason


def test_a_container_bounds_itself_for_the_case_that_nobody_is_left_to_end_it(tmp_path: Path) -> None:
    arguments = run_arguments("n", "zaproxy:1", "http://web/", folder=tmp_path, seconds=299.6)
    at = arguments.index("zaproxy:1")
    assert arguments[at + 1 : at + 6] == ["timeout", "-k", "5", "300", "zap-baseline.py"]
    assert "--network" not in arguments


async def test_without_docker_it_is_skipped_with_the_remedy(tmp_path: Path) -> None:
    bare = Desk(path=str(tmp_path), rules=ScanRules(programs={"docker": tmp_path / "none"}))
    result = (await look("http://127.0.0.1/", bare)).result
    assert result.status is SKIPPED
    assert "install it, or set security.zap_api_url" in result.reason
    assert (await PLUGIN.probe(bare)).absent


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://user:pw@host/", "http://host/\n", "http://", "-t", "http://h/'x"]
)
async def test_what_is_no_url_of_a_service_is_refused_before_anything_runs(tmp_path: Path, url: str) -> None:
    async with installed(tmp_path) as docker:
        result = (await look(url, desk(docker))).result
        assert not docker.calls
    assert result.status is ERROR
    assert "pw" not in result.reason


async def test_an_image_that_is_an_option_is_refused(tmp_path: Path) -> None:
    async with installed(tmp_path) as docker:
        rules = ScanRules(programs={"docker": docker.program}, docker_host=docker.host, zap_image="--privileged")
        result = (await look("http://127.0.0.1/", Desk(rules=rules))).result
        assert {call[0] for call in docker.calls} == {"version"}
    assert "no reference of an image" in result.reason


def _real() -> str:
    """Why the real Docker cannot be used here; empty where it can."""
    program = shutil.which("docker")
    if program is None:
        return "no docker here"
    asked = [program, "image", "inspect", ScanRules().zap_image]
    found = subprocess.run(asked, capture_output=True, timeout=20, check=False)
    return "" if found.returncode == 0 else f"no Docker daemon here, or it does not hold {ScanRules().zap_image}"


@pytest.mark.skipif(bool(_real()), reason=_real())
async def test_the_real_zap_finds_the_same(tmp_path: Path) -> None:
    real = Desk(path="/usr/local/bin:/usr/bin:/bin", rules=ScanRules(timeouts={"zap": 170.0}))
    async with serving() as url:
        result = (await look(url, real)).result
    assert result.status is ScanStatus.FINDINGS, result.reason
    assert {"10038-1", "10021"} <= {one.rule_id for one in result.findings}


@pytest.mark.skipif(shutil.which("docker") is None, reason="no docker here")
async def test_the_real_command_without_its_daemon_is_told_from_one_that_fails(tmp_path: Path) -> None:
    rules = ScanRules(docker_host=f"unix://{tmp_path}/none.sock")
    result = (await look("http://127.0.0.1/", Desk(path="/usr/local/bin:/usr/bin:/bin", rules=rules))).result
    assert result.status is SKIPPED
    assert "not reachable" in result.reason
