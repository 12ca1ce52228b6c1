"""Columns say the same as one alert at a time, whatever the condition and the alerts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.falco.comparison import EvaluationError
from aegis.falco.evaluate import compiled
from aegis.falco.grammar import parse
from aegis.falco.tree import And, Comparison, Condition, Exists, Field, Group, Literal, Not, Or, Transformed
from aegis.falco.vectorised import FALSE, TRUE, UNKNOWN, encoded, opened, truths, undecided

NAMES = ("proc.name", "proc.pname", "fd.name", "k8s.ns.name", "proc.aname[1]", "proc.aname[2]")
WORDS = st.sampled_from(["sh", "bash", "/etc/shadow", "/etc", "ci", "a b", ""])
VALUES: st.SearchStrategy[Any] = st.none() | WORDS | st.sampled_from([0, 1, True, False, 2**60])
ALERTS = st.lists(st.dictionaries(st.sampled_from([*NAMES, "user.uid", "fd.sip"]), VALUES, max_size=6), max_size=30)


def literals() -> st.SearchStrategy[Literal]:
    return WORDS.map(Literal)


def checks() -> st.SearchStrategy[Condition]:
    field = st.sampled_from([Field(name) for name in NAMES[:4]] + [Field("proc.aname", "1"), Field("proc.aname")])
    text = st.builds(Comparison, field, st.sampled_from(["=", "!=", "contains", "startswith", "glob"]), literals())
    member = st.builds(
        lambda left, items: Comparison(left, "in", Group(tuple(items))), field, st.lists(literals(), max_size=3)
    )
    number = st.builds(
        lambda word, value: Comparison(Field("user.uid"), word, Literal(str(value))),
        st.sampled_from(["=", "!=", "<", ">="]),
        st.integers(0, 2),
    )
    both = st.builds(
        lambda left, right: Comparison(left, "=", Transformed("val", (right,))),
        st.sampled_from([Field(name) for name in NAMES[:4]]),
        st.sampled_from([Field(name) for name in NAMES[:4]]),
    )
    return st.one_of(text, member, number, both, st.builds(Exists, field))


CONDITIONS = st.recursive(
    checks(),
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda children: And(tuple(children)), st.lists(inner, min_size=2, max_size=4)),
        st.builds(lambda children: Or(tuple(children)), st.lists(inner, min_size=2, max_size=4)),
    ),
    max_leaves=10,
)
NUMBER = {False: FALSE, None: UNKNOWN, True: TRUE}


@settings(max_examples=150, deadline=None)
@given(CONDITIONS, ALERTS, st.booleans())
def test_columns_say_what_one_alert_at_a_time_says(
    condition: Condition, alerts: list[dict[str, Any]], strict: bool
) -> None:
    check = compiled(condition, absent_is_unknown=strict)
    expected = [NUMBER[check(fields)] for fields in alerts]
    table = encoded(alerts)
    assert truths(condition, table, absent_is_unknown=strict).tolist() == expected
    some = np.arange(0, len(alerts), 2)
    assert truths(condition, table, absent_is_unknown=strict, rows=some).tolist() == expected[::2]


def test_many_rows_of_many_values() -> None:
    alerts = [{"proc.name": f"p{number % 7}", "fd.name": f"/f/{number}"} for number in range(70_000)]
    condition = parse("proc.name = p3 and fd.name endswith 5 and not fd.name contains 11")
    found = truths(condition, encoded(alerts))
    expected = [
        number for number in range(70_000) if number % 7 == 3 and str(number).endswith("5") and "11" not in str(number)
    ]
    assert np.flatnonzero(found == TRUE).tolist() == expected


def test_a_table_comes_back_from_its_folder(tmp_path: Path) -> None:
    alerts: list[dict[str, Any]] = [
        {"proc.name": "sh", "evt.time": 2**63 + 1},
        {"proc.name": None},
        {"user.uid": 1},
        {"user.uid": True},
    ]
    encoded(alerts).save(tmp_path)
    table = opened(tmp_path)
    assert table.rows == 4
    assert list(table.columns["evt.time"].values) == [2**63 + 1]
    assert len(table.columns["proc.name"].values) == 2
    assert table.columns["proc.name"].values[:1] == ["sh"]
    assert truths(parse("proc.name = sh"), table, absent_is_unknown=True).tolist() == [TRUE, FALSE, UNKNOWN, UNKNOWN]


def test_no_rows() -> None:
    assert truths(parse("proc.name = sh"), encoded([])).tolist() == []


def test_what_falco_refuses_is_refused() -> None:
    with pytest.raises(EvaluationError, match="nonexistent field"):
        truths(parse("proc.nome = sh"), encoded([]))


def test_only_the_fields_that_are_wanted() -> None:
    assert set(encoded([{"a": 1, "b": 2}], ["b"]).columns) == {"b"}


def test_what_left_it_undecided() -> None:
    alerts = [{"proc.name": "sh"}, {"proc.name": "sh", "fd.name": "/x"}, {"proc.name": "cat"}]
    condition = parse("proc.name = sh and not (fd.name = /x or fd.directory = /y)")
    told = list(undecided(condition, encoded(alerts), np.arange(3)))
    assert told == [(parse("fd.name = /x"), 1), (parse("fd.directory = /y"), 1)]


@pytest.mark.parametrize("values", [["a", "\udcff", "é", "", "x\ny"], ["a\0b", "c"], ["a", None, ["b"], 1.5], []])
def test_values_come_back_as_they_were(tmp_path: Path, values: list[Any]) -> None:
    alerts = [{"proc.name": value} for value in values] or [{}]
    table = encoded(alerts)
    table.save(tmp_path)
    again = opened(tmp_path)
    assert {name: list(column.values) for name, column in again.columns.items()} == (
        {"proc.name": values} if values else {}
    )


def test_texts_that_are_no_utf_8() -> None:
    """Half a character and its other half make a whole one, in bytes."""
    values = ["\udcc3\udca9", "é", "e", *(f"x{number}" for number in range(300))]
    alerts = [{"proc.name": value} for value in values]
    for condition in map(parse, ("proc.name = é", "proc.name contains é", "proc.name startswith x1")):
        expected = [NUMBER[compiled(condition)(fields)] for fields in alerts]
        assert truths(condition, encoded(alerts)).tolist() == expected
        assert truths(condition, encoded([{"proc.name": one} for one in values[1:]])).tolist() == expected[1:]


@pytest.mark.parametrize("operator", ["=", "==", "!=", "contains", "startswith", "endswith", "icontains", "glob"])
@pytest.mark.parametrize("strict", [True, False])
def test_many_texts(operator: str, strict: bool) -> None:
    alerts: list[dict[str, Any]] = [{"proc.name": f"{number}é1"} for number in range(400)] + [{}]
    condition = parse(f"proc.name {operator} 1é1")
    expected = [NUMBER[compiled(condition, absent_is_unknown=strict)(fields)] for fields in alerts]
    assert truths(condition, encoded(alerts), absent_is_unknown=strict).tolist() == expected
