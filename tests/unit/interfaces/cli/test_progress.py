"""Progress is one line a step, on stderr."""

from __future__ import annotations

import re

import pytest

from aegis.interfaces.cli.progress import StderrProgress


def test_a_step_its_facts_and_whose_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    StderrProgress().labelled("drift")("watching", ready="2/3", time_scale=20.0)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.fullmatch(r" +0\.\ds  drift: watching  \(ready 2/3 time scale 20\)\n", shown.err)


def test_a_fact_cannot_break_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    StderrProgress()("odd", value="a\nb\x1b" + "x" * 500)
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1
    assert "\x1b" not in told


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    StderrProgress(quiet=True).labelled("x")("anything")
    assert capsys.readouterr().err == ""
