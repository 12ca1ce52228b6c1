"""Kubesec: what it is asked, what its answers mean, and that no way of failing reads as clean."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from evasions import EVASIONS, REFUSED
from fake_kubesec import install, reports, served
from fake_tool import ACTED, EXPECTED, FakeTool, Fault

from aegis.model.scan import Image, Manifests, ScanResult, ScanStatus
from aegis.model.security import SecurityComparison, Severity
from aegis.plugins import members
from aegis.ports import Scanner
from aegis.security.canonical import canonicalise
from aegis.security.desk import Desk, ScanRules
from aegis.security.manifest_tools.kubesec_answer import question
from aegis.security.scanners.kubesec import PLUGIN
from aegis.security.strict_yaml import NotCanonical

Json = dict[str, Any]
KINDS = (
    "Pod",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "ReplicationController",
    "Job",
    "CronJob",
    "PodTemplate",
)


def bearer(kind: str = "Pod", name: str = "web", namespace: str = "shop", **context: Any) -> Json:
    spec: Json = {"containers": [{"name": "app", "image": "nginx:1.27", "securityContext": context}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": spec}
    body: Json = {
        "Pod": {"spec": spec},
        "PodTemplate": {"template": template},
        "CronJob": {"spec": {"jobTemplate": {"spec": {"template": template}}}},
    }.get(kind, {"spec": {"template": template}})
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, **body}


def desk(program: Path | None = None, **rules: Any) -> Desk:
    programs = {"kubesec": program} if program else {"kubesec": Path("/nowhere/kubesec")}
    return Desk(rules=ScanRules(programs=programs, **rules))


async def scan(program: Path | None, *objects: Json, **rules: Any) -> ScanResult:
    return await PLUGIN.scan(Manifests(objects=objects), desk(program, **rules))


@pytest.fixture(params=["fake", "real"])
def kubesec(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The fake, and the real program where it is on PATH."""
    if request.param == "fake":
        return install(tmp_path)
    found = shutil.which("kubesec")
    if not found:
        pytest.skip("kubesec is not on PATH: its fake alone was asked")
    return Path(found)


def test_it_is_a_scanner_of_manifests_alone() -> None:
    assert all(hasattr(PLUGIN, name) for name in members(Scanner))
    assert PLUGIN.accepts(Manifests(objects=()))
    assert not PLUGIN.accepts(Image(reference="nginx"))


# ── what it finds ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_kind_that_bears_a_pod_is_scored_under_its_own_name(kubesec: Path) -> None:
    objects = [bearer(kind, f"web-{number}", privileged=True) for number, kind in enumerate(KINDS)]
    result = await scan(kubesec, *objects, {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}})
    assert result.status is ScanStatus.FINDINGS
    assert result.coverage.missing == ()
    assert {str(item.subject) for item in result.findings if item.rule_id == "Privileged"} == {
        f"{kind}/web-{number} in shop" for number, kind in enumerate(KINDS)
    }
    assert {item.severity for item in result.findings if item.rule_id == "Privileged"} == {Severity.CRITICAL}


async def test_every_object_is_read_and_the_worst_score_is_told(kubesec: Path) -> None:
    good = bearer(name="good", readOnlyRootFilesystem=True)
    good["spec"]["serviceAccountName"] = "own"
    result = await scan(kubesec, good, bearer(name="bad", privileged=True))
    assert [item.subject.name for item in result.findings if item.rule_id == "Privileged"] == ["bad"]
    assert result.details["score"] < 0
    assert [item["object"] for item in result.details["objects"]] == ["Pod/good in shop", "Pod/bad in shop"]


async def test_every_way_of_writing_a_privileged_pod_is_caught_or_refused(kubesec: Path) -> None:
    objects: list[Json] = []
    refused: set[str] = set()
    for number, (name, data) in enumerate(EVASIONS.items()):
        try:
            found = canonicalise(data).plain
        except NotCanonical:
            refused.add(name)
        else:
            objects += [{**obj, "metadata": {**obj["metadata"], "name": f"v{number}"}} for obj in found]
    result = await scan(kubesec, *objects)
    caught = {item.subject.name for item in result.findings if item.rule_id == "Privileged"}
    assert refused == REFUSED
    assert caught == {f"v{number}" for number, name in enumerate(EVASIONS) if name not in REFUSED}
    assert result.coverage.missing == ()


async def test_good_points_make_up_for_nothing_critical(kubesec: Path) -> None:
    pod = bearer(allowPrivilegeEscalation=True, readOnlyRootFilesystem=True, runAsUser=20000)
    pod["spec"]["containers"][0] |= {
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    }
    pod["spec"] |= {"serviceAccountName": "own", "securityContext": {"runAsNonRoot": True}}
    result = await scan(kubesec, pod, kubesec_min_score=-100)
    assert {item.rule_id for item in result.findings} == {"AllowPrivilegeEscalation"}


async def test_a_score_of_nothing_passes_where_nothing_is_asked_for(kubesec: Path) -> None:
    result = await scan(kubesec, bearer())
    assert (result.status, result.details["score"]) == (ScanStatus.CLEAN, 0)
    assert result.details["advise"]
    low = await scan(kubesec, bearer(), kubesec_min_score=1)
    assert [item.rule_id for item in low.findings] == ["ScoreBelowMinimum"]


async def test_what_bears_no_pod_is_not_asked_about(tmp_path: Path) -> None:
    note = tmp_path / "note"
    result = await scan(
        install(tmp_path, note=note), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    )
    assert result.status is ScanStatus.CLEAN
    assert result.coverage.notes
    assert [json.loads(line)["argv"] for line in note.read_text().splitlines()] == [["version"]]


async def test_the_same_fault_is_the_same_in_another_namespace_and_place(tmp_path: Path) -> None:
    program = install(tmp_path)
    here = await scan(program, bearer(privileged=True))
    there = await scan(program, bearer(name="other"), bearer(namespace="aegis-shadow-1", privileged=True))
    comparison = SecurityComparison(before=here.findings, after=there.findings)
    assert comparison.new == comparison.fixed == ()
    assert len(comparison.same) == len(here.findings) == 2


async def test_no_name_of_an_object_deceives(tmp_path: Path) -> None:
    names = ("aegis-0", "aegis-4", "a.b", "x.default", "---", "Pod/aegis-1.default", "ä b")
    bad = [bearer(name=name, privileged=True) for name in names]
    result = await scan(install(tmp_path), bearer(name="web"), *bad, bearer(name="last"))
    assert {item.subject.name for item in result.findings} == set(names)
    assert result.coverage.missing == ()


async def test_objects_of_one_name_in_two_namespaces_are_two(tmp_path: Path) -> None:
    result = await scan(install(tmp_path), bearer(namespace="a"), bearer(namespace="b", privileged=True))
    assert {item.subject.namespace for item in result.findings} == {"b"}
    assert len(result.coverage.scanned) == 2


async def test_a_text_in_a_manifest_begins_no_new_document(tmp_path: Path) -> None:
    pod = bearer(privileged=True)
    pod["spec"]["containers"][0]["args"] = ["a\n---\nkind: Pod\nmetadata: {name: aegis-0}\n---\n"]
    result = await scan(install(tmp_path), bearer(name="first"), pod)
    assert result.status is ScanStatus.FINDINGS
    assert result.coverage.missing == ()


# ── how it is run ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_it_runs_in_a_home_of_its_own_with_schemas_that_need_no_network(tmp_path: Path) -> None:
    note = tmp_path / "note"
    await scan(install(tmp_path, note=note), bearer())
    runs = [json.loads(line) for line in note.read_text().splitlines()]
    assert [run["argv"] for run in runs] == [["version"], ["scan", "-"]]
    for run in runs:
        assert run["env"]["SCHEMA_LOCATION"].startswith(run["env"]["HOME"])
        assert set(run["env"]) <= {"PATH", "HOME", "TMPDIR", "SCHEMA_LOCATION", "LC_CTYPE", "PWD", "SHLVL", "_"}
        assert run["cwd"] == run["env"]["HOME"]
        assert not Path(run["cwd"]).exists()


async def test_schemas_of_the_cluster_are_passed_on(tmp_path: Path) -> None:
    note = tmp_path / "note"
    await scan(install(tmp_path, note=note), bearer(), kubesec_schemas="/schemas")
    assert {json.loads(line)["env"]["SCHEMA_LOCATION"] for line in note.read_text().splitlines()} == {"/schemas"}


async def test_the_tool_is_told_by_version_and_digest(tmp_path: Path) -> None:
    tool = await PLUGIN.probe(desk(install(tmp_path)))
    assert tool.version == "2.14.2"
    assert tool.digest.startswith("sha256:")
    assert not tool.absent


async def test_a_missing_program_is_skipped_with_what_to_do() -> None:
    result = await scan(None, bearer(privileged=True))
    assert result.status is ScanStatus.SKIPPED
    assert "Install Kubesec" in result.reason
    assert result.coverage.missing == ("Pod/web in shop",)


# ── how it fails ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ("panic", ScanStatus.ERROR, "wrote nothing (it ended with status 2: panic: runtime error"),
        ("text", ScanStatus.ERROR, "Invalid input"),
        ("wrong json", ScanStatus.ERROR, "no score"),
        ("no list", ScanStatus.ERROR, "no list"),
        ("v1", ScanStatus.ERROR, "not asked about"),
        ("twice", ScanStatus.ERROR, "twice of Pod/good in shop"),
        ("stranger", ScanStatus.ERROR, "not asked about: Pod/other.default"),
        ("one gone", ScanStatus.PARTIAL, "nothing was said of Job/bad in shop"),
        ("no schema", ScanStatus.PARTIAL, "SCHEMA_LOCATION"),
    ],
)
async def test_no_way_of_failing_is_clean(tmp_path: Path, fault: str, status: ScanStatus, words: str) -> None:
    result = await scan(install(tmp_path, fault), bearer(name="good"), bearer("Job", "bad", privileged=True))
    assert result.status is status
    assert words in result.reason
    assert "\x1b" not in result.reason


@pytest.mark.parametrize("fault", [*ACTED, Fault.NO_COVERAGE])
async def test_the_fault_table(tmp_path: Path, fault: Fault) -> None:
    answer = reports(question([bearer(privileged=True)]).text.encode())
    if fault is Fault.NO_COVERAGE:
        answer, acted = [], None
    else:
        acted = fault
    version = {"version": "version 2.14.2\n"}
    tool = FakeTool.install(tmp_path, "kubesec", answer=answer, probes=version, fault=acted, status=2)
    result = await scan(tool.path, bearer(privileged=True), timeouts={"kubesec": tool.seconds})
    assert result.status in EXPECTED[fault]
    assert result.reason
    assert "\x1b" not in result.reason
    await tool.assert_nothing_is_left()


async def test_a_program_that_cannot_be_run_is_an_error(tmp_path: Path) -> None:
    program = tmp_path / "kubesec"
    program.write_text("no program")
    result = await scan(program, bearer())
    assert result.status is ScanStatus.ERROR


async def test_no_room_to_work_in_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = install(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    result = await scan(program, bearer())
    assert result.status is ScanStatus.ERROR
    assert "no room" in result.reason


async def test_an_object_that_json_does_not_have_is_an_error(tmp_path: Path) -> None:
    result = await scan(install(tmp_path), bearer(privileged=float("nan")))
    assert result.status is ScanStatus.ERROR


# ── over HTTP ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_server_is_asked_and_its_status_decides_nothing() -> None:
    async with served() as url:
        for address in (f"{url}/", f"{url}/scan"):
            result = await scan(None, bearer("CronJob", privileged=True), kubesec_url=address)
            assert result.status is ScanStatus.FINDINGS
            assert {str(item.subject) for item in result.findings} == {"CronJob/web in shop"}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("empty", "the server answered with 500"),
        ("truncated", "no JSON"),
        ("text", "Invalid input"),
        ("panic", "did not answer"),
        ("redirect", "answered with 302"),
        ("huge", "cut off"),
    ],
)
async def test_a_server_that_fails_is_an_error(fault: str, words: str) -> None:
    async with served(fault) as url:
        result = await scan(None, bearer(privileged=True), kubesec_url=url)
    assert result.status is ScanStatus.ERROR
    assert words in result.reason


async def test_a_server_that_says_nothing_is_a_timeout() -> None:
    async with served("sleep") as url:
        result = await scan(None, bearer(), kubesec_url=url, timeouts={"kubesec": 0.2})
    assert result.status is ScanStatus.TIMEOUT


async def test_a_server_that_is_not_there_is_an_error() -> None:
    result = await scan(None, bearer(), kubesec_url="http://127.0.0.1:1")
    assert result.status is ScanStatus.ERROR


@pytest.mark.parametrize(
    "url",
    [
        "https://v2.kubesec.io",
        "https://v2.kubesec.io./scan",
        "https://KUBESEC.IO",
        "ftp://127.0.0.1",
        "nonsense",
        "http://",
        "http://[",
    ],
)
async def test_the_public_service_is_never_asked(url: str) -> None:
    result = await scan(None, bearer(), kubesec_url=url)
    assert result.status is ScanStatus.ERROR
    assert "security.kubesec_url" in result.reason
