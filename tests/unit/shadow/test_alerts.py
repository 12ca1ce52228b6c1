"""Whose an alert is, what counts against a fix, and when silence proves something."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from falco_logs import BEGAN, FalcoLogs, alert_line, at, falco_pod
from hypothesis import given
from hypothesis import strategies as st

from aegis.evidence.attribution import ELSEWHERE, UNKNOWN
from aegis.evidence.falco import Seen
from aegis.falco.alert import Alert, parse_alert
from aegis.falco.priority import Priority
from aegis.model.verdict import Outcome
from aegis.shadow.alerts import (
    CANARY,
    OURS,
    Coverage,
    Deed,
    Parties,
    Post,
    coverage,
    judge_alerts,
    shown,
)
from aegis.shadow.roll import Resident, Roll


def fresh(arm: str) -> str:
    """A container id that differs early: short ids are what Falco prints."""
    return {"r": "a" * 64, "c": "c" * 64, "g": "9" * 64, "canary": "f" * 64}[arm]


def parties(**more: Any) -> Parties:
    rolls = {
        arm: Roll(residents={f"uid-{arm}": Resident(name="web", node="node-1", containers={fresh(arm): "web"})})
        for arm in ("r", "c", "g")
    }
    rolls["c"].residents["uid-canary"] = Resident(name="x", node="node-1", containers={fresh("canary"): "probe"})
    rolls["c"].own.add("uid-canary")
    namespaces = {"demo-r": "r", "demo": "c", "demo-g": "g"}
    return Parties(rolls=rolls, namespaces=namespaces, **more)


def alert(line: str) -> Alert:
    found = parse_alert(line)
    assert found is not None
    return found


def text(fields: str) -> Alert:
    return alert(f"12:00:01.000000000: Warning Sensitive file opened | {fields}")


def deed(rule: str = "A", priority: Priority = Priority.WARNING, **more: str) -> Deed:
    return Deed(**{"rule": rule, "priority": priority, "container": "web", "process": "cat", "parent": "sh", **more})  # type: ignore[arg-type]


WATCHED = Coverage(nodes=("node-1",), lapses=(), falco="2 pods in falco (app=falco)", seconds=180.0)


@pytest.mark.parametrize(
    ("fields", "whose"),
    [
        ({"container": "c" * 12}, "c"),
        ({"container": "a" * 12, "ns": "demo-r"}, "r"),
        ({"container": "9" * 64}, "g"),
        ({"container": "f" * 12, "ns": "demo"}, OURS),
        ({"container": "0" * 12, "ns": "demo"}, "c"),
        ({"ns": "demo"}, "c"),
        ({"ns": "demo-prod", "container": "0" * 12}, ELSEWHERE),
        ({"ns": "dem", "container": "0" * 12}, ELSEWHERE),
        ({"container": "host"}, ELSEWHERE),
        ({"container": "0" * 12}, UNKNOWN),
        ({"container": "c" * 11}, UNKNOWN),
        ({}, UNKNOWN),
    ],
    ids=str,
)
def test_whose_an_alert_is(fields: dict[str, Any], whose: str) -> None:
    assert parties().whose(alert(alert_line(**fields))) == whose


def test_a_container_of_another_pod_is_nobodys_of_ours() -> None:
    line = alert(alert_line(container="0" * 12))
    assert parties(elsewhere=frozenset({"0" * 64})).whose(line) == ELSEWHERE


def test_what_an_audit_log_tells_is_no_deed_of_a_container() -> None:
    assert parties().whose(alert(alert_line(source="k8s_audit"))) == ELSEWHERE


@pytest.mark.parametrize(
    ("fields", "whose"),
    [
        ("container_id=cccccccccccc k8s_ns_name=<NA>", "c"),
        ("container_id=000000000000 k8s_ns_name=demo", "c"),
        ("container_id=000000000000 k8s_ns_name=shop", ELSEWHERE),
        ("command=x k8s_ns_name=shop container_id=000000000000 k8s_ns_name=demo", UNKNOWN),
        ("command=x container_id=host k8s_ns_name=shop", ELSEWHERE),
        ("command=x container_id=host container_id=000000000000 k8s_ns_name=demo", UNKNOWN),
        ("command=x k8s_ns_name=shop", UNKNOWN),
        ("command=x", UNKNOWN),
    ],
)
def test_whose_an_alert_of_text_is(fields: str, whose: str) -> None:
    assert parties().whose(text(fields)) == whose


def test_deeds_are_compared_by_rule_and_process() -> None:
    lines = [
        alert_line(container="c" * 12, process="cat", exe="/usr/bin/cat", rule="A"),
        alert_line(container="c" * 12, process="cat", exe="/usr/bin/cat", rule="A", seconds=2),
        alert_line(container="c" * 12, process="head", rule="A"),
        alert_line(container="a" * 12, process="cat", exe="/usr/bin/cat", rule="A"),
        alert_line(container="f" * 12, process="find", rule="A"),
    ]
    did = shown([Seen(alert=alert(line), at_ns=0, node="node-1") for line in lines], parties())
    cat = Deed(rule="A", priority=Priority.WARNING, container="web", process="/usr/bin/cat", parent="")
    assert did == {"c": {cat: 2, replace(cat, process="head"): 1}, "r": {cat: 1}, OURS: {
        replace(cat, process="find", container="probe"): 1
    }}  # fmt: skip


@pytest.mark.parametrize("name", ["web", "k8s_web_web-abc_demo-r_uid_3"])
def test_a_run_too_short_to_be_seen_is_compared_by_the_name_in_the_alert(name: str) -> None:
    fields = {"k8s.ns.name": "demo-r", "container.id": "0" * 12, "container.name": name, "proc.name": "cat"}
    short = alert(alert_line(output_fields=fields, rule="A"))
    seen = alert(alert_line(container="c" * 12, process="cat", rule="A"))
    did = shown([Seen(alert=one, at_ns=0, node="n") for one in (short, seen)], parties())
    assert did["r"] == did["c"]


def test_a_text_stands_for_its_rule_by_its_message() -> None:
    did = shown([Seen(alert=text("container_id=cccccccccccc"), at_ns=0, node="n")], parties())
    assert [one.rule for one in did["c"]] == ["Sensitive file opened"]


def test_nothing_seen_by_a_proved_watch_is_clean() -> None:
    gate = judge_alerts({}, WATCHED, Priority.WARNING)
    assert (gate.outcome, gate.required, gate.inconclusive, gate.measured) == (Outcome.PASSED, True, False, 0.0)
    assert gate.coverage == "1 nodes for 180 s by 2 pods in falco (app=falco)"


def test_what_the_candidate_alone_does_is_dirty() -> None:
    did = {"c": Counter({deed(): 3, deed("B", Priority.CRITICAL): 1}), "r": Counter({deed("C"): 1})}
    gate = judge_alerts(did, WATCHED, Priority.WARNING)
    assert (gate.outcome, gate.measured, gate.threshold, gate.unit) == (Outcome.FAILED, 4.0, 0.0, "alerts")
    assert gate.reason == (
        "Falco alerts of the fixed workload alone: Critical: B by cat, started by sh in container web (1 x); "
        "Warning: A by cat, started by sh in container web (3 x)"
    )


@pytest.mark.parametrize("arm", ["r", "g"])
def test_what_another_arm_does_too_is_no_news(arm: str) -> None:
    gate = judge_alerts({"c": Counter({deed(): 3}), arm: Counter({deed(): 1})}, WATCHED, Priority.WARNING)
    assert gate.outcome is Outcome.PASSED
    assert gate.coverage.endswith("; 3 alerts as without the fix")


@pytest.mark.parametrize("party", [OURS, ELSEWHERE])
def test_what_is_none_of_the_arms_neither_counts_nor_excuses(party: str) -> None:
    assert judge_alerts({party: Counter({deed(): 1})}, WATCHED, Priority.WARNING).outcome is Outcome.PASSED
    both = {party: Counter({deed(): 1}), "c": Counter({deed(): 1})}
    assert judge_alerts(both, WATCHED, Priority.WARNING).outcome is Outcome.FAILED


def test_what_is_below_the_threshold_is_only_told() -> None:
    did = {"c": Counter({deed(priority=Priority.NOTICE): 2})}
    gate = judge_alerts(did, WATCHED, Priority.WARNING)
    assert (gate.outcome, gate.coverage.split("; ")[1]) == (Outcome.PASSED, "2 alerts below Warning")
    assert judge_alerts(did, WATCHED, Priority.NOTICE).outcome is Outcome.FAILED


def test_what_is_nobodys_is_unknown_and_no_excuse() -> None:
    gate = judge_alerts({UNKNOWN: Counter({deed(): 2})}, WATCHED, Priority.WARNING)
    assert (gate.outcome, gate.inconclusive, gate.measured) == (Outcome.ERRORED, True, None)
    assert "2 alerts name no namespace" in gate.reason
    low = {UNKNOWN: Counter({deed(priority=Priority.NOTICE): 2})}
    assert judge_alerts(low, WATCHED, Priority.WARNING).outcome is Outcome.PASSED
    both = {UNKNOWN: Counter({deed(): 2}), "c": Counter({deed(): 1})}
    assert judge_alerts(both, WATCHED, Priority.WARNING).outcome is Outcome.FAILED


def test_a_lapse_is_unknown_but_hides_no_alert() -> None:
    lapsed = replace(WATCHED, lapses=("no Falco watches node-2",))
    gate = judge_alerts({}, lapsed, Priority.WARNING)
    assert (gate.outcome, gate.inconclusive) == (Outcome.ERRORED, True)
    assert gate.reason == "what Falco saw is not known for sure: no Falco watches node-2"
    assert judge_alerts({"c": Counter({deed(): 1})}, lapsed, Priority.WARNING).outcome is Outcome.FAILED


def test_a_process_cannot_draw_on_the_terminal() -> None:
    evil = deed(process="\x1b[2J" + "a" * 500)
    reason = judge_alerts({"c": Counter({evil: 1})}, WATCHED, Priority.WARNING).reason
    assert reason.isprintable()
    assert len(reason) < 300


@given(st.lists(st.tuples(st.sampled_from(["r", "c", "g", OURS, ELSEWHERE, UNKNOWN]), st.sampled_from(Priority))))
def test_clean_means_that_nothing_grave_is_the_candidates_alone(seen: list[tuple[str, Priority]]) -> None:
    did: dict[str, Counter[Deed]] = {}
    for party, priority in seen:
        did.setdefault(party, Counter())[deed(priority=priority)] += 1
    gate = judge_alerts(did, WATCHED, Priority.WARNING)
    grave = {(party, priority) for party, priority in seen if priority <= Priority.WARNING}
    mine = {priority for party, priority in grave if party == "c"}
    usual = {priority for party, priority in grave if party in {"r", "g"}}
    unknown = any(party == UNKNOWN for party, _ in grave)
    expected = Outcome.FAILED if mine - usual else Outcome.ERRORED if unknown else Outcome.PASSED
    assert gate.outcome is expected


# coverage


async def post(canary: float | None = 100.0, faults: tuple[str, ...] = (), **pod: Any) -> Post:
    sentry = (await FalcoLogs(pods=[falco_pod(**pod)]).find()).sentries[0]
    line = alert(alert_line(canary or 0.0))
    seen = Seen(alert=line, at_ns=line.time_ns or 0, node=sentry.node) if canary is not None else None
    return Post(sentry=sentry, faults=faults, canary=seen, provoked=at(100))


async def lapses(*posts: Post, nodes: tuple[str, ...] = ("node-1",)) -> tuple[str, ...]:
    found = await FalcoLogs().find()
    covered = coverage(nodes, found, posts, since=BEGAN, until=BEGAN + timedelta(seconds=120))
    assert covered.seconds == 120.0
    return covered.lapses


async def test_a_node_with_a_post_that_saw_its_canary_is_covered() -> None:
    assert await lapses(await post()) == ()


@pytest.mark.parametrize(
    ("more", "lapse"),
    [
        ({"canary": None}, f"Falco on node-1 did not tell of the canary there (is its rule {CANARY!r} on?)"),
        ({"canary": 70.0}, "the clock of node-1 is 30 s late"),
        ({"faults": ("Falco dropped events on node-1",)}, "Falco dropped events on node-1"),
        ({"ready": None}, "falco/falco-1 is not ready"),
        ({"started": at(10), "ready": at(11)}, "falco/falco-1 (re)started meanwhile"),
    ],
)
async def test_a_post_that_may_have_missed_something(more: dict[str, Any], lapse: str) -> None:
    assert await lapses(await post(**more)) == (lapse,)


async def test_every_node_needs_one() -> None:
    assert await lapses(await post(), nodes=("node-1", "node-2")) == ("no Falco watches node-2",)


async def test_one_whole_post_is_enough_for_a_node() -> None:
    assert await lapses(await post(canary=None, name="audit"), await post()) == ()
