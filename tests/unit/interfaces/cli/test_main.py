"""The outermost door: help at once, one line an error, the exit status of the contract."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from aegis import errors
from aegis.interfaces.cli import main as door
from aegis.interfaces.cli.app import root
from aegis.interfaces.cli.commands import COMMANDS, GLOBAL_OPTIONS, root_help
from aegis.interfaces.cli.options import global_options

_NOBODY_THERE = """\
apiVersion: v1
kind: Config
current-context: none
clusters: [{name: none, cluster: {server: "http://127.0.0.1:9"}}]
contexts: [{name: none, context: {cluster: none, user: none}}]
users: [{name: none, user: {}}]
"""


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(_NOBODY_THERE)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))


def aegis(*words: str, **how: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aegis.interfaces.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **how)  # type: ignore[call-overload,no-any-return]


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and subcommand by its words."""
    context = click.Context(root)
    for name in root.list_commands(context):
        found = root.get_command(context, name)
        assert found is not None
        yield name, found
        if isinstance(found, click.Group):
            yield from ((f"{name} {inner}", command) for inner, command in found.commands.items())


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_is_the_same_with_and_without_click(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert door.run(words) == 0
    assert capsys.readouterr().out == root_help() + "\n"
    assert root.get_help(click.Context(root)) == root_help()


def test_help_imports_neither_click_nor_anything_that_costs() -> None:
    code = (
        "import sys; from aegis.interfaces.cli.main import run; run(['--help']);"
        "heavy = {'click', 'rich', 'aiohttp', 'pydantic', 'yaml', 'asyncio'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_teaches(words: str, command: click.Command) -> None:
    text = command.get_help(click.Context(command, info_name=words))
    assert "Examples:" in text, f"{words} shows no example"
    assert command.help, f"{words} does not say what it does"
    assert "--output" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_listed_command_is_there(name: str) -> None:
    module = import_module(f"aegis.interfaces.cli.{COMMANDS[name][0]}")
    assert module.command.name == name


def test_the_help_lists_the_global_options_that_there_are() -> None:
    listed = {word.strip(",") for spelling, _ in GLOBAL_OPTIONS for word in spelling.split() if word.startswith("-")}
    assert listed == {name for option in global_options() for name in option.opts}


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["fxi"], 2, "Did you mean fix?"),
        (["version", "--nonsense"], 2, "--nonsense"),
        (["fix"], 2, "TARGET"),
        (["fix", "deploy"], 2, "KIND/NAME"),
        (["fix", "deploy/web/x"], 2, "KIND/NAME"),
        (["analyze", "deploy/web"], 69, "127.0.0.1:9"),
        (["demo", "--scenario", "nonsense", "--yes"], 2, "missing-env"),
        (["demo"], 4, "--yes"),
        (["demo", "--context", "mine", "--yes"], 2, "mine"),
        (["local", "kubeconfig"], 69, "aegis local up"),
        (["mode", "set", "hardstop"], 2, "--reason"),
        (["config", "--config", "/no/such/file"], 2, "no such file"),
        (["version", "--timeout", "soon"], 2, "5m"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_is_one_line_with_its_status(words: list[str], status: int, said: str) -> None:
    done = aegis(*words, stdin=subprocess.DEVNULL)
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, len(lines), done.stdout) == (status, 1, ""), done.stderr
    assert said in lines[0]
    assert "Traceback" not in done.stderr


def test_what_cannot_be_read_is_named_and_nothing_readable_is_a_usage_error() -> None:
    done = aegis("analyze", "--from", "/no/such/place")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0].startswith("note: /no/such/place")
    assert "no evidence" in done.stderr.splitlines()[-1]


def test_a_traceback_is_for_those_who_ask_twice() -> None:
    done = aegis("local", "kubeconfig", "-v", "-v")
    assert "Traceback" in done.stderr
    assert "Traceback" not in aegis("local", "kubeconfig", "-v").stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.UsageError("x"), 2),
        (errors.NotFound("x"), 2),
        (errors.Refused("x"), 4),
        (errors.Unavailable("x"), 69),
        (errors.PermissionDenied("x"), 77),
        (errors.Defect("x"), 70),
        (ZeroDivisionError("x"), 70),
        (ExceptionGroup("tasks", [ValueError("y"), ExceptionGroup("more", [errors.PermissionDenied("x")])]), 77),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (click.UsageError("x"), 2),
        (BrokenPipeError(), 141),
    ],
    ids=repr,
)
def test_every_error_has_its_status(
    error: BaseException, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(root, "main", fails)
    monkeypatch.setattr(sys.stdout, "close", lambda: None)
    assert door.run(["version"]) == status
    assert len(capsys.readouterr().err.splitlines()) <= 1


def test_a_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    command = [sys.executable, "-m", "aegis.interfaces.cli.main", "config", "-o", "json"]
    process = subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    os.close(read)
    _, said = process.communicate(timeout=30)
    assert (said, process.returncode) == ("", 141)


def test_ctrl_c_ends_it_with_130() -> None:
    command = [sys.executable, "-m", "aegis.interfaces.cli.main", "audit", "tail", "-w"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "empty" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (said.strip(), process.returncode) == ("", 130)


def test_options_may_stand_before_and_after_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert door.run(["-o", "json", "version"]) == 0
    first = capsys.readouterr().out
    assert door.run(["version", "-o", "json"]) == 0
    assert capsys.readouterr().out == first


def test_completion_knows_the_commands() -> None:
    script = aegis("completion", "bash")
    assert script.returncode == 0
    assert "_AEGIS_COMPLETE" in script.stdout
    completed = aegis(env={**os.environ, "_AEGIS_COMPLETE": "bash_complete", "COMP_WORDS": "aegis ", "COMP_CWORD": "1"})
    assert {"fix", "analyze"} <= {line.partition(",")[2] for line in completed.stdout.splitlines()}
