"""Completion in real shells, and what it does where there is no cluster: nothing, and at once."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from aegis.interfaces.cli.main import run

BIN = Path(sys.executable).parent
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: home
clusters:
  - {name: home, cluster: {server: "https://127.0.0.1:%d"}}
contexts:
  - {name: home, context: {cluster: home, user: me}}
  - {name: hotel, context: {cluster: home, user: me}}
users: [{name: me, user: {}}]
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A kubeconfig that leads nowhere, and a state folder with an incident and a shadow."""
    config, state = tmp_path / "kubeconfig", tmp_path / "state" / "aegis"
    config.write_text(KUBECONFIG % 9, encoding="utf-8")
    (state / "shadows").mkdir(parents=True)
    (state / "shadows" / "1a2b3c4d.json").write_text("{}", encoding="utf-8")
    with sqlite3.connect(state / "incidents.sqlite") as connection:
        connection.execute("CREATE TABLE incidents (id TEXT, opened_at TEXT)")
        connection.execute("INSERT INTO incidents VALUES ('inc-old', '2026-01-01'), ('inc-new', '2026-02-01')")
    connection.close()
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(tmp_path), "KUBECONFIG": str(config), "XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def complete(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., list[str]]:
    """What a shell is answered for a line whose last word is not finished."""

    def answer(*words: str) -> list[str]:
        asked = {"_AEGIS_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(["aegis", *words])}
        for name, value in {**env, **asked, "COMP_CWORD": str(len(words))}.items():
            monkeypatch.setenv(name, value)
        assert run([]) == 0
        out, said = capfd.readouterr()
        assert said == "", "nothing is said on a line that somebody is typing"
        return [line.partition(",")[2] for line in out.splitlines() if line]

    return answer


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["ana"], ["analyze"]),
        (["analyze", "statef"], ["statefulset"]),
        (["fix", "deployment", ""], []),
        (["shadow", "w"], ["wait"]),
        (["shadow", "status", "1a"], ["1a2b3c4d"]),
        (["shadow", "delete", "x"], []),
        (["incident", "show", "inc-"], ["inc-new", "inc-old"]),
        (["incident", "approve", "inc-o"], ["inc-old"]),
        (["incident", "approve", "%"], ["inc-new", "inc-old"]),
        (["demo", "--scenario", "missing"], ["missing-env"]),
        (["analyze", "--context", "ho"], ["home", "hotel"]),
        (["analyze", "-n", "d"], []),
        (["analyze", "deployment/w"], []),
        (["analyze", "-o", "y"], ["yaml"]),
        (["no-such-command", ""], []),
    ],
    ids=" ".join,
)
def test_what_is_completed_without_a_cluster(
    complete: Callable[..., list[str]], words: list[str], found: list[str]
) -> None:
    assert complete(*words) == found


@pytest.mark.parametrize("config", ["", "a: [", "[]", "contexts: 3", "current-context: x", "\x00"])
def test_a_kubeconfig_that_is_none_completes_nothing(
    complete: Callable[..., list[str]], env: dict[str, str], config: str
) -> None:
    Path(env["KUBECONFIG"]).write_text(config, encoding="utf-8")
    assert complete("analyze", "-n", "") == []
    assert complete("analyze", "--context", "") == []


def test_a_server_that_never_answers_is_given_up(complete: Callable[..., list[str]], env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        Path(env["KUBECONFIG"]).write_text(KUBECONFIG % silent.getsockname()[1], encoding="utf-8")
        began = monotonic()
        assert complete("analyze", "-n", "") == []
        assert monotonic() - began < 20, "which is 1.5 s, on a machine that is not busy"


def test_a_broken_state_folder_completes_nothing(complete: Callable[..., list[str]], env: dict[str, str]) -> None:
    path = Path(env["XDG_STATE_HOME"]) / "aegis" / "incidents.sqlite"
    path.write_bytes(b"no database")
    assert complete("incident", "show", "") == []


def test_bash_completes(env: dict[str, str]) -> None:
    script = """
        source <(aegis completion bash)
        complete -p aegis
        ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _aegis_completion aegis; echo "${COMPREPLY[@]}"; }
        ask aegis shadow st
        ask aegis analyze --context hot
        ask aegis analyze -n ''
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=env, text=True, capture_output=True, timeout=60, check=True
    )
    assert done.stderr == ""
    assert "-F _aegis_completion aegis" in done.stdout
    assert done.stdout.splitlines()[1:] == ["status", "hotel", ""]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes(env: dict[str, str]) -> None:
    script = 'aegis completion fish | source; complete -C "aegis shadow st"; complete -C "aegis analyze --context hot"'
    done = subprocess.run(
        ["fish", "--no-config", "-c", script], env=env, text=True, capture_output=True, timeout=60, check=True
    )
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["status", "hotel"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes(env: dict[str, str]) -> None:
    """With zsh's own completion around it, in a terminal of its own, as somebody presses the tab key."""
    script = """
        zmodload zsh/zpty
        zpty shell 'zsh -f -i'
        zpty -w shell 'PROMPT=; autoload -U compinit; compinit -u -D; source <(aegis completion zsh); echo rea''dy'
        zpty -r -m shell line '*ready*'
        zpty -w -n shell $'aegis shadow stat\\t'
        zpty -r -m shell line '*status*' && echo completed
        zpty -d shell
    """
    done = subprocess.run(["zsh", "-f", "-c", script], env=env, text=True, capture_output=True, timeout=60, check=False)
    assert "completed" in done.stdout, done.stderr


def test_scanners(complete: Callable[..., list[str]]) -> None:
    assert complete("scan", "manifest", "--scanner", "po") == ["podsecurity"]
    assert {"trivy", "semgrep", "kubesec"} <= set(complete("scan", "source", "--scanner", ""))
