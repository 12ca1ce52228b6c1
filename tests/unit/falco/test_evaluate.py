"""Conditions hold where Falco's engine says so; what is not told is unknown only where that is asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conditions import conditions, events
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.falco.comparison import EvaluationError
from aegis.falco.evaluate import compiled
from aegis.falco.grammar import parse
from aegis.falco.render import quoted
from aegis.falco.tree import Condition, Not

RECORDED = [
    json.loads(line) for line in Path(__file__).with_name("conditions.jsonl").read_text(encoding="utf-8").splitlines()
]
"""Conditions on fields of real alerts, with what Falco 0.44.1 answered."""

SHELL = {
    "proc.name": "bash",
    "proc.pname": "Nginx",
    "proc.aname[2]": "systemd",
    "proc.pid": 7,
    "fd.name": "/etc/shadow",
    "fd.sip": "10.1.2.3",
    "fd.snet": "10.1.2.3",
    "fd.rport": 443,
    "proc.is_exe_writable": True,
    "user.name": None,
}


def holds(condition: str, fields: dict[str, Any] = SHELL, **how: bool) -> bool | None:
    return compiled(parse(condition), absent_is_unknown=how.get("strict", False))(fields)


@pytest.mark.parametrize("row", RECORDED, ids=lambda row: row["cond"][:60])
def test_the_answers_of_the_real_engine(row: dict[str, Any]) -> None:
    if row["ok"]:
        assert holds(row["cond"], row["fields"]) is row["match"]
    else:
        with pytest.raises(EvaluationError):
            holds(row["cond"], row["fields"])


@pytest.mark.parametrize(
    "condition",
    [
        "proc.name = bash and proc.pid = 7",
        "fd.name pmatch (/etc, /var)",
        "fd.name pmatch (etc/sh*)",
        "fd.name pmatch ('')",
        "not fd.name pmatch (/etc/sh)",
        "fd.name glob /e*w and proc.name glob b??[!a]",
        "proc.pname icontains NGIN and proc.pname iglob n*X",
        "fd.sip = 10.1.2.3 and fd.snet in (10.0.0.0/8) and fd.snet != 11.0.0.0/8",
        "fd.rport in (https, 80)",
        "proc.is_exe_writable = true",
        "proc.aname = systemd and not proc.aname = init",
        "proc.name regex 'b(a|o)sh' and not proc.name regex as",
        "not (user.name = root) and not (user.name != root) and not user.name exists",
        "proc.name = oneof (bash, zsh) and not proc.name = oneof (bash, bash)",
        "proc.name != allof (sh, zsh) and not proc.name != allof (bash, zsh)",
        "basename(fd.name) = shadow and len(proc.name) = 4 and tolower(proc.pname) = nginx",
        "concat(proc.name, ':', proc.pname) = bash:Nginx",
        "join('-', (proc.name, proc.pid)) = bash-7",
        "fd.name startswith val(fd.name) and not proc.name = val(proc.pname)",
        "not proc.cmdline contains x",
    ],
)
def test_what_holds(condition: str) -> None:
    assert holds(condition) is True


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("macro", "unexpected identifier 'macro'"),
        ("proc.nome = x", "nonexistent field proc.nome"),
        ("proc.name[2] = x", "nonexistent field"),
        ("evt.arg exists", "requires an argument"),
        ("proc.pid contains 3", "not supported for numeric filters"),
        ("proc.pid = 0x10", "as a number"),
        ("proc.pid = 1.5", "as a number"),
        ("proc.is_exe_writable = yes", "unrecognized boolean"),
        ("fd.sip = 10.0.0.0/8", "unrecognized IPv4 address"),
        ("fd.snet = 10.0.0.1", "unrecognized IP network"),
        ("fd.rport = nosuchservice", "unrecognized protocol"),
        ("proc.name regex '\\\\d+'", "invalid regex"),
        (f"proc.name = {'x' * 256}", "too long"),
        ("tolower(proc.pid) = 7", "not supported by 'tolower'"),
        ("join('-', fd.name) = x", "wrong arguments"),
        ("evt.buffer bcontains xyz", "hex strings only"),
        ("proc.name pmatch val(fd.name)", "doesn't support right-hand side"),
    ],
)
def test_what_is_refused(condition: str, why: str) -> None:
    with pytest.raises(EvaluationError, match=why):
        holds(condition)


def test_what_is_not_told_is_unknown_and_follows_kleene() -> None:
    assert holds("user.uid = 0", strict=True) is None
    assert holds("not user.uid = 0", strict=True) is None
    assert holds("user.uid = 0 and proc.name = sh", strict=True) is False
    assert holds("user.uid = 0 or proc.name = bash", strict=True) is True
    assert holds("user.name exists", strict=True) is False, "null is told: there is no value"
    assert holds("proc.aname = init", strict=True) is None, "not every ancestor is told"


@settings(max_examples=40)
@given(conditions(), events())
def test_unknown_covers_both_worlds(condition: Condition, event: dict[str, Any]) -> None:
    told = compiled(condition, absent_is_unknown=True)(event)
    plain = compiled(condition)(event)
    assert plain is not None
    assert told in {plain, None}


@settings(max_examples=40)
@given(conditions(), events())
def test_a_negation_is_the_opposite(condition: Condition, event: dict[str, Any]) -> None:
    for strict in (False, True):
        truth = compiled(condition, absent_is_unknown=strict)(event)
        opposite = compiled(Not(condition), absent_is_unknown=strict)(event)
        assert (opposite is None) if truth is None else (opposite is not truth)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30), st.text(max_size=30))
def test_any_value_is_compared_without_a_surprise(constant: str, value: str) -> None:
    for word in ("contains", "glob", "iglob", "pmatch"):
        source = (
            f"proc.name {word} ({quoted(constant)})" if word == "pmatch" else f"proc.name {word} {quoted(constant)}"
        )
        assert holds(source, {"proc.name": value}) in {True, False}
