"""The fast way through a file finds exactly what parsing each line would find."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.falco import lines
from aegis.falco.alert import Alert, parse_alert
from aegis.falco.lines import alerts_in
from aegis.falco.priority import Priority
from aegis.falco.query import AlertQuery

RECORDED = Path(__file__).parent / "alerts.jsonl"
NOON = datetime(2024, 11, 21, 12, tzinfo=UTC)


def document(**more: Any) -> dict[str, Any]:
    fields = {"k8s.ns.name": more.pop("ns", "demo"), "proc.cmdline": more.pop("command", "cat")}
    return {
        "output": "o",
        "output_fields": fields,
        "priority": "Warning",
        "rule": "Terminal shell in container",
        "time": "2024-11-21T12:00:01.000000000Z",
        **more,
    }


def plainly(text: bytes, query: AlertQuery) -> list[Alert]:
    parsed = (parse_alert(line) for line in text.split(b"\n"))
    return [alert for alert in parsed if alert is not None and query.matches(alert)]


def fast(text: bytes, query: AlertQuery) -> list[Alert]:
    return list(alerts_in(io.BytesIO(text), query))


def escaped(text: str) -> str:
    """Each letter as an escape: JSON's only other way to write it."""
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (json.dumps(document()), True),
        (json.dumps(document(), separators=(",", ":")), True),
        (json.dumps(document(), indent=None).replace(": ", " :\t "), True),
        (json.dumps(document()).replace('"demo"', f'"{escaped("demo")}"'), True),
        (json.dumps(document()).replace('"demo"', f'"d{escaped("emo")}"'), True),
        (json.dumps(document()).replace('"k8s.ns.name"', f'"{escaped("k8s.ns.name")}"'), True),
        (json.dumps(document(ns="demo-prod")), False),
        (json.dumps(document(ns="dem")), False),
        (json.dumps(document(ns=None)), False),
        (json.dumps(document(ns="other", command='"k8s.ns.name":"demo"')), False),
        (json.dumps(document(ns="other", rule="demo")), False),
        (json.dumps(document(priority="warning")), True),
        (json.dumps(document(priority="Notice")), False),
        (json.dumps(document(priority="Grave")), False),
        (json.dumps(document(time="2024-11-21T11:59:59Z")), False),
        (json.dumps(document(time="2024-11-21T13:00:00+01:00")), True),
        (json.dumps(document(time="")), True),
        (json.dumps(document()) + "\r", True),
        ("  " + json.dumps(document()), True),
        (json.dumps(document())[:-3], False),
        ("12:00:01.5: Warning A shell | container_id=x k8s_ns_name=demo", True),
        ("2024-11-21T11:00:01.5Z: Warning A shell | container_id=x k8s_ns_name=demo", False),
        ("12:00:01.5: Notice A shell (k8s.ns=demo)", False),
        ("12:00:01.5: Warning A shell (k8s.ns=demo k8s.ns=demo)", False),
        ("Thu Nov 21 12:00:00 2024: demo", False),
    ],
)
def test_what_is_asked_for(line: str, *, found: bool) -> None:
    query = AlertQuery(namespace="demo", priority=Priority.WARNING, since=NOON, until=NOON + timedelta(hours=1))
    text = f"chatter\n{line}\n{{}}\n".encode()
    assert len(fast(text, query)) == found
    assert fast(text, query) == plainly(text, query)


def test_every_recorded_alert_is_found_and_a_rule_is_a_word_too() -> None:
    text = RECORDED.read_bytes()
    assert fast(text, AlertQuery()) == plainly(text, AlertQuery())
    rules = {alert.rule for alert in plainly(text, AlertQuery())}
    assert len(rules) > 5
    for rule in rules:
        assert fast(text, AlertQuery(rule=rule)) == plainly(text, AlertQuery(rule=rule)) != []


WORDS = st.sampled_from(["demo", "demo-prod", "de", "x", None, 5, "\u00e9", 'a"b', "\ufffd", "\x1b"])
PIECES = st.one_of(
    st.builds(
        lambda ns, word, priority, ascii_only, spaced: json.dumps(
            document(ns=ns, command=word, priority=priority),
            ensure_ascii=ascii_only,
            separators=(", ", " : ") if spaced else (",", ":"),
        ),
        WORDS, WORDS, st.sampled_from(["Warning", "debug", "CRITICAL", "?", None]), st.booleans(), st.booleans(),
    ),
    st.builds(
        lambda ns, word: f"12:00:01.5: Warning A shell | command={word} container_id=x k8s_ns_name={ns}", WORDS, WORDS
    ),
    st.sampled_from(["", "demo", "{", '{"a":"demo"}', "\\u", "x" * 300, "\\u0064emo", "{" * 90, "\x00demo\x00"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)  # fmt: skip


@given(
    pieces=st.lists(PIECES, max_size=12),
    namespace=st.sampled_from(["", "demo", "d", "demo-prod", "no"]),
    priority=st.sampled_from([None, Priority.ERROR, Priority.WARNING]),
    block=st.sampled_from([64, 1000, 1 << 20]),
    end=st.sampled_from(["\n", ""]),
    with_libc=st.booleans(),
    many=st.sampled_from([-1, 0, 150]),
)
def test_it_finds_exactly_what_parsing_each_line_finds(
    pieces: list[str], namespace: str, priority: Priority | None, block: int, end: str, *, with_libc: bool, many: int
) -> None:
    text = ("\n".join(pieces) + end).encode()
    query = AlertQuery(namespace=namespace, priority=priority)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_BLOCK", block)
        patch.setattr(lines, "_MANY", many)
        if not with_libc:
            patch.setattr(lines, "_MEMMEM", None)
        assert fast(text, query) == plainly(text, query)


@given(lengths=st.lists(st.integers(0, 700), max_size=12), block=st.sampled_from([50, 200, 1000]))
def test_a_line_that_is_too_long_hides_no_other(lengths: list[int], block: int) -> None:
    made = [json.dumps(document(command="x" * length)).encode() for length in lengths]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_BLOCK", block)
        patch.setattr(lines, "LONGEST_LINE", 400)
        patch.setattr("aegis.falco.alert.LONGEST_LINE", 400)
        text = b"\n".join(made)
        assert fast(text, AlertQuery(namespace="demo")) == plainly(text, AlertQuery(namespace="demo"))
        assert len(fast(text, AlertQuery())) == sum(len(line) <= 400 for line in made)
