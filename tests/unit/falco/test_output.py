"""Outputs: the fields that are shown, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.falco.output import OutputError, fields_of


def test_fields_are_found_with_arguments_and_within_transformers() -> None:
    output = "by %user.name (%proc.aname[2]) 100%% *%*fd.name %tolower(proc.pname) %container.info end"
    assert [str(one) for one in fields_of(output)] == ["user.name", "proc.aname[2]", "fd.name", "proc.pname"]


@pytest.mark.parametrize("output", ["%", "% x", "%proc.nome", "%tolower(proc.nome)", "%proc", "%len(", "%1.2"])
def test_what_is_refused(output: str) -> None:
    with pytest.raises(OutputError):
        fields_of(output)


def _refusal(output: str) -> OutputError | None:
    try:
        fields_of(output)
    except OutputError as error:
        return error
    return None


@given(st.text("%proc.name[]()2 tolower", max_size=40))
def test_no_output_is_a_surprise(output: str) -> None:
    refused = _refusal(output)
    assert refused is None or str(refused)
