"""The parser survives whatever it is given: it answers or refuses, and its work grows as the text does.

`make fuzz` runs this for a million inputs (`FALCO_FUZZ`, `FALCO_FUZZ_SEED`).
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from falco_fuzz import GROWING, inputs

from aegis.falco import rules
from aegis.falco.comparison import EvaluationError
from aegis.falco.evaluate import compiled
from aegis.falco.grammar import ConditionError, parse
from aegis.falco.layout import LayoutError, laid_out
from aegis.falco.lint import lint
from aegis.falco.render import rendered
from aegis.falco.tree import text as printed

COUNT = int(os.environ.get("FALCO_FUZZ", "3000"))
SEED = int(os.environ.get("FALCO_FUZZ_SEED", "2026"))
SLOWEST = 5.0
"""Seconds of CPU for one short text: beyond it is a hang, on any machine."""
FIELDS: dict[str, Any] = {
    "proc.name": "sh",
    "fd.name": "/etc/shadow",
    "evt.num": 3,
    "fd.sip": "10.0.0.1",
    "proc.pname": None,
}


def judged(text: str) -> bool:
    """Whether it is a condition; its tree can then be written, read again, and asked or refused."""
    try:
        tree = parse(text)
    except ConditionError as error:
        return not error.explained()
    assert parse(rendered(tree)) == tree
    assert printed(tree)
    try:
        check = compiled(tree, absent_is_unknown=True)
    except EvaluationError:
        return True
    assert check(FIELDS) in {True, False, None}
    return True


@pytest.mark.timeout(max(180, COUNT // 500))
def test_odd_conditions() -> None:
    accepted, slowest = 0, (0.0, "")
    for text in inputs(SEED, COUNT):
        begin = time.process_time()
        accepted += judged(text)
        slowest = max(slowest, (time.process_time() - begin, text))
    assert slowest[0] < SLOWEST, slowest[1]
    assert 0 < accepted < COUNT


@pytest.mark.timeout(max(180, COUNT // 100))
def test_odd_rule_files() -> None:
    """The condition stands in a rule, then the whole file is changed."""
    head = (
        "- list: sh\n  items: [a, b]\n- macro: a\n  condition: proc.name in (sh)\n- rule: r\n  desc: d\n  condition: "
    )
    for text in inputs(SEED + 1, max(COUNT // 50, 40)):
        whole = head + text + "\n  output: x\n  priority: NOTICE\n"
        for file in (whole, text):
            ruleset = rules.load([("x.yaml", file)])
            assert len(ruleset.errors) <= 1
            lint(ruleset, [("x.yaml", file)])
            with contextlib.suppress(LayoutError):
                laid_out(file)


def calls(function: Callable[[str], object], text: str) -> int:
    """How many calls of Python and C functions it takes: work without a clock."""
    count = 0

    def counted(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(counted)
    try:
        function(text)
    finally:
        sys.setprofile(None)
    return count


def attempted(text: str) -> None:
    try:
        parse(text)
    except ConditionError as error:
        error.explained()


@pytest.mark.parametrize("name", GROWING)
def test_twice_the_text_is_no_more_than_twice_the_work(name: str) -> None:
    small, large = (calls(attempted, GROWING[name](size)) for size in (500, 1000))
    assert large <= 2.2 * small + 100


@pytest.mark.parametrize("name", GROWING)
def test_a_long_text_is_no_hang(name: str) -> None:
    begin = time.process_time()
    attempted(GROWING[name](50_000))
    assert time.process_time() - begin < SLOWEST


def test_macros_of_macros_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_MOST_CHECKS", 10_000)
    doubling = "".join(f"- macro: m{n}\n  condition: (m{n - 1} and m{n - 1})\n" for n in range(1, 40))
    rule = "- rule: r\n  desc: d\n  condition: evt.type = open and m39\n  output: x\n  priority: NOTICE\n"
    (error,) = rules.load([("x", f"- macro: m0\n  condition: (proc.name = a)\n{doubling}{rule}")]).errors
    assert "macros grow beyond" in error.message


def test_lists_in_conditions_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_MOST_TEXT", 1 << 18)
    items = ", ".join(["abcdefgh"] * 5_000)
    rule = "- rule: r{}\n  desc: d\n  condition: proc.name in (l)\n  output: x\n  priority: NOTICE\n"
    (error,) = rules.load([("x", f"- list: l\n  items: [{items}]\n{''.join(map(rule.format, range(20)))}")]).errors
    assert "lists make conditions longer" in error.message
