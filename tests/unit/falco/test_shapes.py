"""Alerts as log services give them back, and by what one is known again whichever way it came."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.falco.alert import Alert, parse_alert, parse_moment
from aegis.falco.document import encoded, moment_text, to_document
from aegis.falco.identity import identity
from aegis.falco.priority import Priority
from aegis.falco.shapes import alert_of

RECORDED = [line for line in (Path(__file__).parent / "alerts.jsonl").read_text(encoding="utf-8").splitlines() if line]
AT = parse_moment("2026-11-21T00:31:15.873270750Z")
LABELS = {
    "rule": "R",
    "priority": "critical",
    "source": "syscall",
    "hostname": "n",
    "k8s_ns_name": "shop",
    "tags": "a,b",
}


def flattened(line: str) -> dict[str, str]:
    """The fields that VictoriaLogs makes of a line of JSON: every value is text, and what is empty is not there."""
    document = json.loads(line)
    row = {name: value for name, value in document.items() if isinstance(value, str)}
    row["tags"] = json.dumps(document["tags"])
    for name, value in document["output_fields"].items():
        if value not in {None, ""}:
            row[f"output_fields.{name}"] = value if isinstance(value, str) else json.dumps(value)
    return row


def parsed(line: str) -> Alert:
    found = parse_alert(line)
    assert found is not None
    return found


def test_a_recorded_alert_is_the_same_whichever_way_it_came() -> None:
    for line in RECORDED:
        alert = parsed(line)
        sidekick = parsed(json.dumps(json.loads(line) | {"uuid": "11111111-1111-1111-1111-111111111111"}))
        whole = alert_of({"rule": "x"}, line, 1)
        apart = alert_of(flattened(line), "", 1)
        kept = parse_alert(encoded(alert))
        assert whole is not None
        assert apart is not None
        assert kept is not None
        assert {identity(one) for one in (sidekick, whole, apart, kept)} == {identity(alert)}
        told = {name: value for name, value in alert.fields.items() if value not in {None, ""}}
        assert (apart.fields, apart.tags, apart.time_ns) == (told, alert.tags, alert.time_ns)
        assert not apart.from_text


def test_recorded_alerts_differ() -> None:
    assert len({identity(parsed(line)) for line in RECORDED}) == len(set(RECORDED))


@pytest.mark.parametrize(
    ("name", "value"), [("time", "2026-11-21T00:31:15.873270751Z"), ("hostname", "other"), ("rule", "other")]
)
def test_what_tells_alerts_apart(name: str, value: str) -> None:
    document = json.loads(RECORDED[0])
    assert identity(parsed(json.dumps(document | {name: value}))) != identity(parsed(RECORDED[0]))
    document["output_fields"]["proc.cmdline"] = "other"
    assert identity(parsed(json.dumps(document))) != identity(parsed(RECORDED[0]))


def test_labels_go_before_the_sentence_which_may_be_the_attackers() -> None:
    text = "00:31:15.873270750: Critical Shell | command=sh -c k8s_ns_name=elsewhere container_id=0123456789ab"
    alert = alert_of(LABELS, text, AT)
    assert alert is not None
    assert (alert.rule, alert.priority, alert.tags) == ("R", Priority.CRITICAL, ("a", "b"))
    assert alert.text("k8s.ns.name") == "shop"
    assert (alert.from_text, alert.time_ns) == (True, AT)
    twice = alert_of(LABELS, f"{text} k8s_ns_name=twice", AT)
    assert twice is not None
    assert "k8s.ns.name" not in twice.ambiguous
    assert twice.text("k8s.ns.name") == "shop"


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        ({}, "chatter"),
        ({"rule": "R"}, "no priority"),
        ({"priority": "critical"}, "no rule"),
        ({"rule": "R", "priority": "grave"}, "o"),
        ({"rule": 5, "priority": 5}, "o"),
        ({"output_fields.a": "b", "rule": "R"}, ""),
        (LABELS, '{"broken":'),
        ({}, '{"log":"nginx"}'),
    ],
)
def test_what_is_no_alert(labels: dict[str, Any], line: str) -> None:
    assert alert_of(labels, line, AT) is None


def test_a_sentence_that_is_no_line_of_falco_is_still_the_labels_alert() -> None:
    alert = alert_of(LABELS, "anything", AT)
    assert alert is not None
    assert (alert.output, alert.rule, alert.from_text) == ("anything", "R", True)


TEXTS = st.sampled_from([
    "00:31:15.873270750: Critical Shell | command=sh k8s_ns_name=shop",
    "2026-11-21T00:31:15.873270750+0000: Notice A shell (user=root k8s.ns=shop k8s.ns=shop)",
    "00:31:15.9: Debug Falco internal: syscall event drop. 3 system calls dropped in last second.",
])  # fmt: skip


@given(line=st.one_of(TEXTS, st.sampled_from(RECORDED)), at=st.integers(0, 4_000_000_000_000_000_000))
def test_what_is_kept_is_read_as_it_was(line: str, at: int) -> None:
    alert = alert_of({}, line, at)
    assert alert is not None
    again = parse_alert(encoded(alert))
    assert again is not None
    assert identity(again) == identity(alert)
    assert msgspec.json.encode(to_document(again)) == encoded(alert)
    assert (again.time_ns, again.priority, again.rule, again.source) == (
        alert.time_ns, alert.priority, alert.rule, alert.source,
    )  # fmt: skip
    assert (again.from_text, again.ambiguous, dict(again.fields)) == (
        alert.from_text, alert.ambiguous, dict(alert.fields),
    )  # fmt: skip


@given(st.integers(0, 253_402_300_799_999_999_999))
def test_a_moment_is_written_to_the_nanosecond(at: int) -> None:
    assert parse_moment(moment_text(at)) == at


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=5), st.text(max_size=40))
def test_whatever_a_service_says_is_an_alert_or_none(labels: dict[str, str], line: str) -> None:
    found = alert_of(labels | {"rule": "R", "priority": "Error"}, line, AT)
    assert found is None or found.priority is Priority.ERROR or found.from_text is False
