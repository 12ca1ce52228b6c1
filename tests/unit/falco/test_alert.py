"""Alerts as Falco 0.44.1 wrote them, and everything else that a log may hold."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.falco.alert import LONGEST_LINE, Alert, looks_like_json, parse_alert, parse_moment
from aegis.falco.priority import Priority

RECORDED = (Path(__file__).parent / "alerts.jsonl").read_text(encoding="utf-8").splitlines()


def parsed(line: str | bytes) -> Alert:
    alert = parse_alert(line)
    assert alert is not None
    return alert


def document(**more: object) -> dict[str, object]:
    fields = {"k8s.ns.name": "shop", "container.id": "abd924dad337"}
    return {"rule": "R", "priority": "Warning", "output": "o", "output_fields": fields, **more}


@pytest.mark.parametrize("line", RECORDED, ids=lambda line: json.loads(line)["rule"])
def test_nothing_of_a_recorded_alert_is_lost(line: str) -> None:
    alert = parsed(line)
    assert dict(alert.document) == json.loads(line)
    assert dict(alert.fields) == json.loads(line)["output_fields"]
    assert not alert.from_text


@pytest.mark.parametrize("line", RECORDED, ids=lambda line: json.loads(line)["rule"])
def test_the_text_of_a_recorded_alert_says_the_same(line: str) -> None:
    alert = parsed(line)
    text = parsed(alert.output)
    assert (text.from_text, text.rule) == (True, "")
    assert (text.priority, text.time_ns, text.message) == (alert.priority, alert.time_ns, alert.message)
    for name in ("k8s.ns.name", "k8s.pod.name", "container.id", "proc.name"):
        assert text.text(name) == alert.text(name)


def test_integers_above_2_to_53_and_nanoseconds_are_exact() -> None:
    line = json.dumps(document(time="2026-11-21T00:31:15.873270751Z", output_fields={"evt.time": 1795221075873270751}))
    alert = parsed(line)
    assert alert.fields["evt.time"] == 1795221075873270751
    assert alert.time_ns == 1795221075873270751
    assert alert.time is not None
    assert alert.time.isoformat() == "2026-11-21T00:31:15.873270+00:00"


def test_null_bracketed_and_unknown_keys_are_kept() -> None:
    alert = parsed(json.dumps(document(output_fields={"proc.aname[2]": "bash", "k8s.ns.name": None}, uuid="u", x=[1])))
    assert alert.fields == {"proc.aname[2]": "bash", "k8s.ns.name": None}
    assert (alert.text("proc.aname[2]"), alert.text("k8s.ns.name"), alert.text("absent")) == ("bash", "", "")
    assert (alert.document["uuid"], alert.document["x"]) == ("u", [1])


@pytest.mark.parametrize("priority", Priority)
@pytest.mark.parametrize("case", [str.lower, str.upper, str.capitalize])
def test_all_eight_priorities_in_any_case(priority: Priority, case: object) -> None:
    assert callable(case)
    assert parsed(json.dumps(document(priority=case(priority.name)))).priority is priority
    assert parsed(f"17:00:01.5: {case(priority.name)} A shell (user=root)").priority is priority


def test_the_order_of_priorities() -> None:
    assert Priority.CRITICAL.at_least(Priority.WARNING)
    assert Priority.WARNING.at_least(Priority.WARNING)
    assert not Priority.NOTICE.at_least(Priority.WARNING)
    assert (Priority.parse("info"), Priority.parse("grave")) == (Priority.INFORMATIONAL, None)
    assert Priority.INFORMATIONAL.word == "Informational"


def test_the_priority_of_a_text_is_only_in_its_place() -> None:
    alert = parsed("03:15:20.123456789: Notice CRITICAL alert: Emergency (user=root command=echo Alert)")
    assert (alert.priority, alert.message) == (Priority.NOTICE, "CRITICAL alert: Emergency")
    assert alert.time_ns is None, "a time of day is no moment"


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("(user=root k8s.ns=shop k8s.pod=web-1 container=0123456789ab)", ("shop", "web-1", "0123456789ab")),
        ("| user=root container_id=0123456789ab k8s_pod_name=<NA> k8s_ns_name=<NA>", ("", "", "0123456789ab")),
        ("(k8s_ns_name=shop)", ("shop", "", "")),
        ("nothing in particular", ("", "", "")),
    ],
)
def test_the_fields_of_a_text(line: str, fields: tuple[str, str, str]) -> None:
    alert = parsed(f"03:15:20.1: Warning Shell spawned {line}")
    assert tuple(map(alert.text, ("k8s.ns.name", "k8s.pod.name", "container.id"))) == fields


def test_a_command_line_cannot_name_another_namespace() -> None:
    alert = parsed("03:15:20.1: Warning S | command=x k8s_ns_name=elsewhere container_id=aa k8s_ns_name=shop")
    assert alert.text("k8s.ns.name") == ""
    assert alert.ambiguous == {"k8s.ns.name"}


@pytest.mark.parametrize(
    "line",
    [
        '{"rule":"Falco internal: syscall event drop","priority":"Debug","output":"o","source":"internal"}',
        "17:00:00.1: Debug Falco internal: syscall event drop. 3 system calls dropped in last second. (n_drops=3)",
    ],
)
def test_falco_tells_of_what_it_lost(line: str) -> None:
    alert = parsed(line)
    assert alert.is_internal
    assert alert.tells_of_loss


def test_a_rule_cannot_be_made_to_speak_for_falco_by_its_words() -> None:
    alert = parsed("17:00:00.1: Warning Shell | command=echo Falco internal: syscall event drop")
    assert not alert.is_internal


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Fri Nov 21 05:00:00 2026: Falco version: 0.44.1 (x86_64)",
        "17:00:00.1: Grave A shell",
        "Warning A shell",
        "{",
        "{}",
        "[]",
        '"x"',
        json.dumps(document(priority="Grave")),
        json.dumps(document(rule=1)),
        json.dumps(document(output_fields=[1])),
        '{"rule":"R","priority":"Warning","output":"\\ud800"}',
        '{"a":' * 100_000,
        '{"rule":"R","priority":"Warning","output":"o","x":1e999}',
        "17:00:00.1: Warning " + "a" * LONGEST_LINE,
    ],
    ids=lambda line: line[:30],
)
def test_what_is_no_alert(line: str) -> None:
    assert parse_alert(line) is None


def test_a_broken_json_line_is_told_from_chatter() -> None:
    assert looks_like_json('{"rule":"R"')
    assert not looks_like_json("Falco initialized")


@given(st.binary(max_size=300))
def test_hostile_bytes_raise_nothing(line: bytes) -> None:
    parse_alert(line)
    parse_alert(b"17:00:00.1: Warning " + line)
    parse_alert(b'{"rule":"r","priority":"Warning","output":"' + line + b'"}')


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.dictionaries(st.text(), _SCALARS | st.lists(_SCALARS, max_size=3), max_size=8), st.text())
def test_any_fields_come_back_as_they_were(fields: dict[str, object], output: str) -> None:
    written = document(output_fields=fields, output=output)
    assert dict(parsed(json.dumps(written)).document) == written


@given(st.integers(min_value=0, max_value=2**62))
def test_moments_are_exact(nanoseconds: int) -> None:
    from datetime import UTC, datetime

    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    assert parse_moment(f"{text}.{rest:09d}Z") == nanoseconds
    assert parse_moment(f"{text}.{rest:09d}+0000") == nanoseconds


@pytest.mark.parametrize("text", ["", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00+99:99", "x"])
def test_what_is_no_moment(text: str) -> None:
    assert parse_moment(text) is None
