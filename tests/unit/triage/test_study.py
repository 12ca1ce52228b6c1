"""The same verdicts whichever way the alerts came: from Falco's log, or flattened to text by VictoriaLogs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from falco_story import BEGIN, PACKAGES, chain, noise
from log_services import LogServices, log_services

from aegis.drivers.http import HttpOptions, open_http
from aegis.evidence.victorialogs import VictoriaLogs
from aegis.falco.alert import Alert
from aegis.falco.priority import Priority
from aegis.falco.query import AlertQuery
from aegis.triage.baseline import read, shipped
from aegis.triage.report import Asked, Findings, report_fields
from aegis.triage.study import Request, study
from aegis.triage.verify import Watch, watched

PODS = ("runner-6d4b75cb6d-hwt8p", "runner-6d4b75cb6d-xk2wz")
SINCE = datetime.fromtimestamp(BEGIN // 10**9, UTC) - timedelta(minutes=1)


def row(alert: Alert) -> dict[str, Any]:
    """As VictoriaLogs keeps a line of JSON."""
    fields = {f"output_fields.{name}": str(value) for name, value in alert.fields.items() if value is not None}
    known = {name: alert.document[name] for name in ("rule", "priority", "source", "hostname", "output", "time")}
    return {**known, **fields, "_time": alert.document["time"], "_msg": "x", "k8s_ns_name": alert.text("k8s.ns.name")}


@pytest.fixture
async def services() -> AsyncIterator[LogServices]:
    async with log_services() as made:
        yield made


def found(history: Sequence[Alert], said: list[str] | None = None, **more: Any) -> Findings:
    request = Request(**{"asked": Asked(), "entries": shipped(), "today": date(2026, 11, 21), **more})
    return study(history, request, (said if said is not None else []).append)


async def test_a_log_service_gives_the_same_verdicts(services: LogServices) -> None:
    history = [*noise(PODS), *chain(PODS[1])]
    services.rows.extend(map(row, history))
    async with open_http(HttpOptions(url=services.url)) as client:
        batch = await VictoriaLogs(client).read(AlertQuery(since=SINCE), 1000)
    direct, asked = found(history), found(batch.alerts)
    assert len(batch.alerts) == len(history)
    assert {one.group.id: one.verdict for one in asked.judged} == {one.group.id: one.verdict for one in direct.judged}
    assert [one.rules for one in asked.chains] == [one.rules for one in direct.chains]


async def test_a_log_service_verifies(services: LogServices) -> None:
    services.rows.extend(map(row, noise(PODS)))
    async with open_http(HttpOptions(url=services.url)) as client:
        source = VictoriaLogs(client)
        fires = await watched(source, Watch(rule=PACKAGES, namespace="ci", workload="runner"), SINCE, settle=0.0)
        silent = await watched(source, Watch(rule=PACKAGES, namespace="shop"), SINCE, settle=0.0)
    assert (fires.outcome, len(fires.here)) == ("firing", 32)
    assert (silent.outcome, silent.elsewhere) == ("silent", 32)


def test_the_order_of_alerts_changes_nothing() -> None:
    history = [*noise(PODS), *chain(PODS[1])]
    forward, backward = found(history), found(history[::-1])
    assert {one.group.id: one.verdict for one in forward.judged} == {
        one.group.id: one.verdict for one in backward.judged
    }
    assert {frozenset(one.rules) for one in forward.chains} == {frozenset(one.rules) for one in backward.chains}


def test_only_what_is_asked_for_is_mended_and_shown_but_attacks_are_looked_for_everywhere() -> None:
    history = [*noise(PODS), *chain(PODS[1])]
    shown = found(history, asked=Asked(rule=PACKAGES))
    assert len(shown.mends) == 1
    assert not shown.is_escalated
    (group,) = report_fields(shown)["groups"]
    assert group["contested"] == 16
    nothing = found(history, asked=Asked(namespace="shop"))
    assert nothing.mends == {}
    assert report_fields(nothing)["classification"] is None


def test_an_attack_of_warnings_is_told_to_whoever_asks_for_what_is_critical() -> None:
    quiet = [one for one in chain() if one.priority.word == "Warning"]
    fields = report_fields(found(quiet, asked=Asked(priority=Priority.CRITICAL)))
    assert fields["groups"] == []
    assert len(fields["attacks"]) == 1
    assert (fields["escalate"], fields["classification"]) == (True, "real")
    elsewhere = report_fields(found(quiet, asked=Asked(priority=Priority.CRITICAL, namespace="shop")))
    assert (elsewhere["attacks"], elsewhere["escalate"]) == ([], False)


def test_an_entry_that_is_over_is_named() -> None:
    said: list[str] = []
    own = read("- {rule: r, because: b, namespaces: [a], processes: [p], expires: 2026-11-21}", "team.yaml")
    found([], said, entries=own)
    assert said[0] == "baseline of team.yaml: the entry for 'r' expired and counts for nothing"


def test_alerts_without_a_time_are_judged_too() -> None:
    history = [replace(one, time_ns=None) for one in [*noise(PODS), *chain(PODS[1])]]
    fields = report_fields(found(history))
    assert fields["escalate"]
    assert fields["groups"][0]["first"] is None
