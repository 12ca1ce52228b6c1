"""One document in the form that was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from aegis.errors import UsageError
from aegis.interfaces.cli.options import Globals
from aegis.interfaces.cli.output import columns, document, emit, list_document, rendered

RESULT = document("Thing", name="größe", items=[1, None, True])


def test_json_and_yaml_are_the_same_document() -> None:
    as_json, as_yaml = rendered("json", RESULT, str), rendered("yaml", RESULT, str)
    assert json.loads(as_json) == yaml.safe_load(as_yaml) == RESULT
    assert list(RESULT)[:2] == ["apiVersion", "kind"]
    assert "größe" in as_json
    assert "größe" in as_yaml


def test_a_list_has_its_kind_and_items() -> None:
    assert list_document("Incident", []) == {"apiVersion": "aegis.io/v1", "kind": "IncidentList", "items": []}


def test_a_result_may_go_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    emit(Globals(output="json", output_file=tmp_path / "out.json"), RESULT, str)
    assert json.loads((tmp_path / "out.json").read_text()) == RESULT
    assert capsys.readouterr().out == ""


def test_a_file_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        emit(Globals(output_file=tmp_path / "no" / "out"), RESULT, lambda: "x")


def test_columns_are_aligned_and_nothing_is_said_of_nothing() -> None:
    assert columns(("a", "b"), [("x", 1), ("long", None)]) == "A      B\nx      1\nlong   -"
    assert columns(("a",), [], empty="None.") == "None."


def test_what_a_program_wrote_does_not_speak_to_the_terminal() -> None:
    said = rendered("table", RESULT, lambda: "a\x1b]0;title\x07b\tc\n\x9b2Jd\r")
    assert said == "a\ufffd]0;title\ufffdb\tc\n\ufffd2Jd\ufffd"
    assert "\x1b" not in rendered("json", document("Thing", text="\x1b[2J"), str), "JSON escapes it"
