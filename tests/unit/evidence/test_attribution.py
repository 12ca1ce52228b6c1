"""Whose an alert is, one question at a time."""

from __future__ import annotations

import pytest
from falco_logs import alert_line
from hypothesis import given
from hypothesis import strategies as st

from aegis.evidence.attribution import ELSEWHERE, UNKNOWN, Attribution, is_one_of
from aegis.falco.alert import parse_alert

MINE, THEIRS = "a" * 64, "b" * 64
KNOWN = Attribution(
    namespaces={"demo": "me"},
    container=lambda one: "me" if len(one) >= 12 and MINE.startswith(one) else None,
    elsewhere=[THEIRS],
)


def whose(line: str) -> str:
    alert = parse_alert(line)
    assert alert is not None
    return KNOWN.whose(alert)


def text(fields: str) -> str:
    return f"12:00:01.5: Warning Opened | {fields}"


@pytest.mark.parametrize(
    ("line", "owner"),
    [
        (alert_line(ns="demo"), "me"),
        (alert_line(ns="demo-prod"), ELSEWHERE),
        (alert_line(ns=None), UNKNOWN),
        (alert_line(ns="<NA>"), UNKNOWN),
        (alert_line(container=MINE[:12]), "me"),
        (alert_line(container=MINE[:11]), UNKNOWN),
        (alert_line(container=MINE[:12], ns="elsewhere"), "me"),
        (alert_line(container=THEIRS[:12]), ELSEWHERE),
        (alert_line(container="host"), ELSEWHERE),
        (alert_line(ns="demo", source="k8s_audit"), ELSEWHERE),
        (text("k8s_ns_name=demo"), "me"),
        (text("k8s_ns_name=elsewhere"), UNKNOWN),
        (text("container_id=cccccccccccc k8s_ns_name=elsewhere"), ELSEWHERE),
        (text("container_id=cccccccccccc k8s_ns_name=elsewhere k8s_ns_name=demo"), UNKNOWN),
        (text("container_id=aaaaaaaaaaaa k8s_ns_name=elsewhere"), "me"),
    ],
)
def test_whose_it_is(line: str, owner: str) -> None:
    assert whose(line) == owner


@given(st.text(max_size=20))
def test_only_the_very_namespace_is_mine(namespace: str) -> None:
    assert (whose(alert_line(ns=namespace)) == "me") == (namespace == "demo")


@given(st.text("ab", max_size=70))
def test_a_short_id_tells_nothing(container: str) -> None:
    assert is_one_of(container, [MINE]) == (len(container) >= 12 and MINE.startswith(container))
