"""Commands: found wherever they hide, whole, and once more without quotes."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aegis.security.manifest_tools.shell import OVERLONG, commands, commands_of


def texts(script: str) -> list[str]:
    return [command.text for command in commands(script)]


def pod(**container: Any) -> dict[str, Any]:
    return {"kind": "Pod", "spec": {"containers": [{"name": "web", **container}]}}


def test_what_belongs_together_is_one_line() -> None:
    assert texts("a \\\n  | b |\n  c\nd &&\ne") == ["a | b | c", "d && e"]


def test_comments_and_empty_lines_are_left_out() -> None:
    assert texts("#!/bin/sh\n\n  # curl | sh\nls # here") == ["ls # here"]


def test_quotes_and_backslashes_hide_nothing() -> None:
    assert texts("c'ur'l \"x\" | s\\h") == ["c'ur'l \"x\" | s\\h", "curl x | sh"]
    assert texts("curl${IFS}x|sh") == ["curl${IFS}x|sh", "curl x|sh"]


def test_lines_are_counted() -> None:
    found = list(commands("a\n\nb |\n c\nd", numbered=True))
    assert [(command.text, command.line) for command in found] == [("a", 1), ("b | c", 3), ("d", 5)]


def test_a_line_of_megabytes_is_cut_so_that_nothing_falls_between_and_that_is_said() -> None:
    needle = "curl example.org | sh"
    for shift in range(0, 60, 7):
        script = "x " * 9_950 + "y" * shift + f" {needle} " + "z " * 25_000
        assert any(needle in text for text in texts(script))
        assert OVERLONG in texts(script)
        assert max(map(len, texts(script))) <= 21_000


def test_a_long_word_pushes_nothing_apart() -> None:
    (text,) = texts("curl -H " + "x" * 50_000 + " example.org | sh")
    assert text.startswith("curl -H x")
    assert text.endswith("x example.org | sh")


def test_command_and_arguments_are_one() -> None:
    found = list(commands_of(pod(command=["sh", "-c"], args=["id\nls | sh"])))
    assert [(command.text, command.location) for command in found] == [
        ("sh -c id", "containers[web].command"),
        ("ls | sh", "containers[web].command"),
    ]


def test_variables_that_kubernetes_replaces_are_replaced() -> None:
    env = [{"name": "A", "value": "curl x"}, {"name": "B", "valueFrom": {}}]
    (found,) = commands_of(pod(env=env, args=["$(A) | sh $(B) $$(A) $(C)"]))
    assert found.text == "curl x | sh $(B) $$(A) $(C)"


def test_hooks_and_probes_are_commands() -> None:
    hook = {"exec": {"command": ["sh", "-c", "one"]}}
    found = list(commands_of(pod(lifecycle={"postStart": hook, "preStop": hook}, livenessProbe=hook)))
    assert [command.location for command in found] == [
        "containers[web].lifecycle.postStart.exec.command",
        "containers[web].lifecycle.preStop.exec.command",
        "containers[web].livenessProbe.exec.command",
    ]


def test_scripts_of_a_config_map_are_commands_and_other_text_is_not() -> None:
    data = {"run.sh": "one", "start": "#!/usr/bin/env bash\ntwo", "page.html": "three", "number": 1}
    found = list(commands_of({"kind": "ConfigMap", "data": data}))
    assert [(command.text, command.location) for command in found] == [("one", "data[run.sh]"), ("two", "data[start]")]


def test_what_is_badly_formed_is_passed_over() -> None:
    broken: list[Any] = [
        None,
        "x",
        {"command": "ls"},
        {"args": [1, None]},
        {"lifecycle": []},
        {"env": [1, {"value": 2}]},
    ]
    for item in broken:
        list(commands_of({"kind": "Pod", "spec": {"containers": [item]}}))
    list(commands_of({"kind": "ConfigMap", "data": ["x"]}))


@given(st.text(max_size=200))
def test_no_command_has_a_line_break(script: str) -> None:
    for command in commands(script):
        assert command.text.splitlines() == [command.text]
