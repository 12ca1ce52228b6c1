"""`aegis scan`, the whole command in this process, on a machine where no tool is installed."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Tree

import jsonschema
import pytest
from evasions import EVASIONS, REFUSED

from aegis.interfaces.cli.main import run

SCHEMA = Path(__file__).parents[3] / "fixtures" / "sarif" / "sarif-2.1.0-rtm.5.json"
PRIVILEGED = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: c
    image: nginx:1.27
    securityContext: {privileged: true}
"""
GOOD = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: words}
"""
TOOLS = ("KUBESEC", "SEMGREP", "TRIVY", "DOCKER")


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of its own, and no tool, whatever this machine has."""
    for name in TOOLS:
        monkeypatch.setenv(f"AEGIS_SECURITY__{name}_PATH", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    Path("pod.yaml").write_text(PRIVILEGED, encoding="utf-8")
    Path("good.yaml").write_text(GOOD, encoding="utf-8")
    return tmp_path / "work"


def scanned(capsys: pytest.CaptureFixture[str], *words: str, status: int) -> dict[str, Any]:
    """The document, and that the command ended so."""
    assert run(["scan", *words, "-o", "json", "-q"]) == status
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (found["apiVersion"], found["kind"]) == ("aegis.io/v1", "ScanReport")
    return found


def test_a_privileged_pod_fails_and_says_who_looked(capsys: pytest.CaptureFixture[str]) -> None:
    report = scanned(capsys, "manifest", "pod.yaml", status=1)
    assert (report["verdict"], report["passed"], report["fail_on"]) == ("failed", False, "HIGH")
    worst = report["findings"][0]
    assert (worst["rule_id"], worst["severity"]) == ("pss-baseline-privileged", "CRITICAL")
    assert (worst["file"], worst["line"]) == ("pod.yaml", 8)
    looked = {one["scanner"]: one["looked"] for one in report["scanners"]}
    assert looked == {"kubesec": False, "podsecurity": True, "semgrep": False, "trivy": False}
    assert all(one["reason"] for one in report["scanners"] if not one["looked"])


def test_passed_with_gaps_on_a_bare_machine(capsys: pytest.CaptureFixture[str]) -> None:
    report = scanned(capsys, "manifest", "good.yaml", status=0)
    assert (report["verdict"], report["passed"], report["findings"]) == ("passed with gaps", False, [])
    assert {gap.partition(":")[0] for gap in report["gaps"]} == {"kubesec", "semgrep", "trivy"}


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["manifest", "pod.yaml", "--scanner", "podsecurity"], 1),
        (["manifest", "good.yaml", "--scanner", "podsecurity"], 0),
        (["manifest", "good.yaml", "--scanner", "trivy"], 69),
        (["manifest", "good.yaml", "--scanner", "podsecurity", "--scanner", "trivy"], 69),
        (["manifest", "pod.yaml", "--baseline", "pod.yaml"], 0),
        (["manifest", "pod.yaml", "--baseline", "good.yaml"], 1),
        (["manifest", "good.yaml", "--baseline", "pod.yaml"], 0),
        (["manifest", "-f", "pod.yaml"], 1),
        (["manifest", "."], 1),
        (["image", "shop/web:1"], 69),
        (["url", "http://127.0.0.1:1"], 69),
        (["source", "."], 1),
        (["manifest"], 2),
        (["manifest", "none.yaml"], 2),
        (["manifest", "pod.yaml", "--scanner", "trivyy"], 2),
        (["manifest", "pod.yaml", "--scanner", "zap"], 2),
        (["manifest", "pod.yaml", "--fail-on", "AWFUL"], 2),
        (["manifest", "pod.yaml", "--waivers", "none.yaml"], 2),
        (["image", "./none.tar"], 2),
        (["image", "a b"], 2),
        (["url", "ftp://x"], 2),
        (["url", "http://"], 2),
        (["source", "none"], 2),
        (["runtime", "-n", "x"], 2),
        (["runtime", "-n", "x", "--since", "soon"], 2),
        (["runtime", "-n", "x", "--since", "2999-01-01T00:00:00Z"], 2),
        (["runtime", "-n", "x", "--since", "2026-01-01T00:00:00"], 2),
    ],
)
def test_exit_statuses(words: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scan", *words, "-q"]) == status
    said = capsys.readouterr()
    assert (said.out == "") is (status == 2)
    assert "Traceback" not in said.err
    assert len(said.err.splitlines()) == (1 if status in {2, 69} else 0)


@pytest.mark.parametrize("name", EVASIONS)
def test_no_disguise_of_a_privileged_pod_passes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.yaml").write_bytes(EVASIONS[name])
    if name in REFUSED:
        assert run(["scan", "manifest", "in.yaml", "-q"]) == 2
        assert capsys.readouterr().out == ""
    else:
        worst = scanned(capsys, "manifest", "in.yaml", "--scanner", "podsecurity", status=1)["findings"][0]
        assert (worst["rule_id"], worst["subject"]) == ("pss-baseline-privileged", f"Pod/{name}")


def test_the_threshold(capsys: pytest.CaptureFixture[str]) -> None:
    Path("plain.yaml").write_text(PRIVILEGED.replace("privileged: true", "privileged: false"), encoding="utf-8")
    assert scanned(capsys, "manifest", "plain.yaml", status=0)["summary"]["MEDIUM"] > 0
    scanned(capsys, "manifest", "plain.yaml", "--fail-on", "medium", status=1)
    scanned(capsys, "manifest", "pod.yaml", "--fail-on", "critical", status=1)


def test_what_is_required_by_the_settings_must_be_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGIS_SECURITY__REQUIRED", "podsecurity,trivy")
    report = scanned(capsys, "manifest", "good.yaml", status=69)
    assert (report["verdict"], report["scanner_results"]["trivy"]["blocks"]) == ("unavailable", True)


def test_a_scanner_that_is_switched_off_is_a_gap(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEGIS_SECURITY__PODSECURITY_ENABLED", "false")
    report = scanned(capsys, "manifest", "pod.yaml", status=3)
    assert "podsecurity: switched off: security.podsecurity_enabled" in report["gaps"]
    scanned(capsys, "manifest", "pod.yaml", "--scanner", "podsecurity", status=1)


@pytest.mark.parametrize(
    ("does", "status"),
    [("exec sleep 60", "timeout"), ("exit 0", "error"), ("echo nonsense", "error"), ("kill -9 $$", "error")],
)
def test_a_tool_that_fails_leaves_the_question_open(
    does: str, status: str, bare_machine: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = bare_machine / "kubesec"
    tool.write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("AEGIS_SECURITY__KUBESEC_PATH", str(tool))
    if status == "timeout":
        monkeypatch.setenv("AEGIS_SECURITY__KUBESEC_TIMEOUT_SECONDS", "0.3")
    Path("plain.yaml").write_text(PRIVILEGED.replace("privileged: true", "privileged: false"), encoding="utf-8")
    report = scanned(capsys, "manifest", "plain.yaml", status=3)
    kubesec = report["scanner_results"]["kubesec"]
    assert ([one["status"] for one in kubesec["results"]], kubesec["outcome"]) == ([status], "ERRORED")
    monkeypatch.setenv("AEGIS_SECURITY__FAIL_OPEN", "kubesec")
    assert scanned(capsys, "manifest", "plain.yaml", status=0)["verdict"] == "passed with gaps"


def test_a_key_that_stands_twice_is_refused_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("twice.yaml").write_text("apiVersion: v1\nkind: Pod\nkind: ConfigMap\nmetadata: {name: a}\n", encoding="utf-8")
    assert run(["scan", "manifest", "good.yaml", "twice.yaml"]) == 2
    assert capsys.readouterr().err.startswith("aegis: twice.yaml:3:1: the key kind stands twice")


@pytest.mark.parametrize("text", ["", "---\n", "just words", "[1, 2]", "\x00\xff", "a: &a [*a]", "{}"])
def test_what_is_no_object_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.yaml").write_text(text, encoding="latin-1")
    assert run(["scan", "manifest", "odd.yaml", "-q"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_stdin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(PRIVILEGED.encode()), encoding="utf-8"))
    assert scanned(capsys, "manifest", "-", status=1)["findings"][0]["file"] == "stdin"


def test_what_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    Path("loop.yaml").symlink_to("loop.yaml")
    Path("folder").mkdir()
    for name in ("loop.yaml", "folder", "/dev/null"):
        assert run(["scan", "manifest", name, "-q"]) == 2, name
    capsys.readouterr()


def test_a_pipe_in_a_folder_holds_nobody_up(capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("pipe.yaml")
    Path("to-pipe.yaml").symlink_to("pipe.yaml")
    Path("link.yaml").symlink_to("good.yaml")
    Path("pod.yaml").unlink()
    scanned(capsys, "manifest", ".", "--scanner", "podsecurity", status=0)
    scanned(capsys, "source", ".", "--scanner", "podsecurity", status=0)
    Path("nowhere.yaml").symlink_to("none")
    assert run(["scan", "manifest", ".", "-q"]) == 2
    assert "cannot read nowhere.yaml" in capsys.readouterr().err


def test_too_much_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with Path("huge.yaml").open("wb") as file:
        file.truncate(64 << 20)
    assert run(["scan", "manifest", "huge.yaml", "-q"]) == 2
    assert "larger than 8 MiB" in capsys.readouterr().err


def test_a_folder_of_sources_with_all_sorts_of_files(capsys: pytest.CaptureFixture[str]) -> None:
    Path("chart/templates").mkdir(parents=True)
    Path("chart/templates/pod.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Values.name }} }\n", encoding="utf-8"
    )
    Path("chart/values.yaml").write_text("replicas: 2\n", encoding="utf-8")
    Path("node_modules").mkdir()
    Path("node_modules/x.yaml").write_text(PRIVILEGED.replace("web", "vendored"), encoding="utf-8")
    report = scanned(capsys, "source", ".", "--scanner", "podsecurity", status=1)
    assert {finding["subject"] for finding in report["findings"]} == {"Pod/web"}
    assert report["unread"] == ["chart/templates/pod.yaml: a template, not rendered"]


def test_waivers(capsys: pytest.CaptureFixture[str]) -> None:
    waiver = "- {id: pss-baseline-privileged, owner: ana@example.com, reason: it must, expires: 2999-12-31}\n"
    Path("waivers.yaml").write_text(waiver, encoding="utf-8")
    report = scanned(capsys, "manifest", "pod.yaml", "--waivers", "waivers.yaml", status=0)
    (suppressed,) = report["suppressed"]
    assert (suppressed["owner"], suppressed["expires"]) == ("ana@example.com", "2999-12-31")
    assert "pss-baseline-privileged" not in {finding["rule_id"] for finding in report["findings"]}
    Path("waivers.yaml").write_text(waiver.replace("2999", "2001"), encoding="utf-8")
    report = scanned(capsys, "manifest", "pod.yaml", "--waivers", "waivers.yaml", status=1)
    assert any("expired on 2001-12-31" in note for note in report["notes"])


def test_a_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    compared = scanned(capsys, "manifest", "good.yaml", "--baseline", "pod.yaml", status=0)["comparison"]
    assert (compared["before"]["CRITICAL"], compared["after"]["CRITICAL"], compared["new"]) == (1, 0, [])
    assert "pss-baseline-privileged" in {one["rule_id"] for one in compared["fixed"]}
    assert run(["scan", "manifest", "pod.yaml", "--baseline", "good.yaml", "-q"]) == 1
    assert "Against good.yaml: 0 fixed, 5 new, 0 worse, 0 same" in capsys.readouterr().out


def test_every_form_goes_to_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("table", "json", "yaml", "sarif", "junit", "gitlab"):
        assert run(["scan", "manifest", "pod.yaml", "-q", "-o", form, "--output-file", form]) == 1
    assert capsys.readouterr().out == ""
    validator: Any = jsonschema.Draft4Validator(json.loads(SCHEMA.read_text()))
    assert list(validator.iter_errors(json.loads(Path("sarif").read_text(encoding="utf-8")))) == []
    assert Tree.fromstring(Path("junit").read_text(encoding="utf-8")).get("failures") == "1"  # noqa: S314 - we wrote it
    assert json.loads(Path("gitlab").read_text(encoding="utf-8"))["scan"]["type"] == "sast"
    assert (
        Path("table")
        .read_text(encoding="utf-8")
        .startswith("pod.yaml: FAILED: 1 at HIGH or above (1 CRITICAL, 4 MEDIUM)")
    )


def test_paths_are_those_of_the_repository_where_others_look(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".git").mkdir()
    Path("deploy").mkdir()
    Path("pod.yaml").rename("deploy/pod.yaml")
    monkeypatch.chdir("deploy")
    assert scanned(capsys, "manifest", "pod.yaml", status=1)["findings"][0]["file"] == "pod.yaml"
    assert run(["scan", "manifest", "pod.yaml", "-q", "-o", "sarif"]) == 1
    results = [one for made in json.loads(capsys.readouterr().out)["runs"] for one in made["results"]]
    places = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in results}
    assert places == {"deploy/pod.yaml"}


def test_an_annotation_that_tells_scanners_to_look_away_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = PRIVILEGED.replace("{name: web}", '{name: web, annotations: {checkov.io/skip1: "CKV_K8S_16=ok"}}')
    Path("quiet.yaml").write_text(quiet, encoding="utf-8")
    report = scanned(capsys, "manifest", "quiet.yaml", status=1)
    assert report["notes"] == ["Pod/web: the annotation checkov.io/skip1 is not obeyed"]


def test_progress_is_on_stderr_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scan", "manifest", "good.yaml", "--scanner", "podsecurity", "-o", "json"]) == 0
    said = capsys.readouterr()
    assert "looking at good.yaml" in said.err
    assert "podsecurity: clean" in said.err
    assert json.loads(said.out)["verdict"] == "passed"


def test_hostile_names_reach_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Path("evil.yaml").write_text(PRIVILEGED.replace("name: c", 'name: "\\e[31mc\\x9b\\u202e"'), encoding="utf-8")
    for form in ("table", "json", "sarif", "junit", "gitlab", "yaml"):
        assert run(["scan", "manifest", "evil.yaml", "-q", "-o", form]) == 1
        assert not {"\x1b", "\x9b", "\u202e"} & set(capsys.readouterr().out), form
