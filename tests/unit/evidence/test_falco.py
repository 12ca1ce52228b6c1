"""Finding Falco and reading its logs: what is there, and everything that means that something may be missing."""

import json
from datetime import datetime
from typing import Any

import pytest
from falco_logs import BEGAN, FalcoLogs, alert_line, at, falco_pod
from hypothesis import given
from hypothesis import strategies as st

from aegis.errors import PermissionDenied, Unavailable
from aegis.evidence import falco
from aegis.evidence.falco import AlertLog, Seen
from aegis.falco.alert import LONGEST_LINE


async def log_of(logs: FalcoLogs, since: datetime = BEGAN) -> AlertLog:
    found = await logs.find()
    return AlertLog(logs, found.sentries[0], since, lambda _: True)  # type: ignore[arg-type]  # a part of the port


async def read(logs: FalcoLogs) -> AlertLog:
    log = await log_of(logs)
    await log.read()
    await log.check_whole()
    return log


def rules(log: AlertLog) -> list[str]:
    return [one.alert.rule for one in log.alerts]


@pytest.mark.parametrize(
    ("labels", "matched"),
    [
        ({"app.kubernetes.io/name": "falco"}, ("app.kubernetes.io/name=falco",)),
        ({"app": "falco"}, ("app=falco",)),
        ({"app.kubernetes.io/name": "falco", "app": "falco"}, ("app.kubernetes.io/name=falco", "app=falco")),
        ({"app.kubernetes.io/name": "falcosidekick"}, ()),
        ({}, ()),
    ],
)
async def test_falco_is_found_by_its_labels_in_any_namespace(labels: dict[str, str], matched: tuple[str, ...]) -> None:
    logs = FalcoLogs(pods=[falco_pod(namespace="kosmos-system", labels=labels)])
    found = await logs.find()
    assert found.labels == matched
    assert [one.namespace for one in found.sentries] == ["kosmos-system"] * bool(matched)
    assert str(found).startswith(f"{len(found.sentries)} pods in")


async def test_falco_is_looked_for_only_where_it_is_said_to_be() -> None:
    logs = FalcoLogs(pods=[falco_pod(labels={"x": "y"}), falco_pod("other", namespace="b", labels={"x": "y"})])
    assert [one.name for one in (await logs.find("falco", "x=y")).sentries] == ["falco-1"]
    assert (await logs.find("falco")).sentries == ()


@pytest.mark.parametrize(
    "pod",
    [
        falco_pod(namespace="aegis-shadow-1-c"),
        falco_pod(phase="Failed"),
        falco_pod(phase="Succeeded"),
        falco_pod(containers=["a", "b"]),
    ],
    ids=["in a shadow", "failed", "over", "no container of that name"],
)
async def test_what_only_looks_like_falco(pod: dict[str, object]) -> None:
    assert (await FalcoLogs(pods=[pod]).find()).sentries == ()


async def test_a_single_container_is_falco_whatever_its_name() -> None:
    found = await FalcoLogs(pods=[falco_pod(containers=["runtime"])]).find()
    assert [one.container for one in found.sentries] == ["runtime"]


@pytest.mark.parametrize(
    ("more", "lapse"),
    [
        ({}, None),
        ({"ready": None}, "falco/falco-1 is not ready"),
        ({"started": None}, "falco/falco-1 is not ready"),
        ({"leaving": True}, "falco/falco-1 is not ready"),
        ({"started": at(10), "ready": at(11), "restarts": 1}, "falco/falco-1 (re)started meanwhile"),
        ({"ready": at(10)}, "falco/falco-1 was not ready all the time"),
        ({"started": at(-1), "restarts": 1}, "falco/falco-1 (re)started meanwhile"),
        ({"ready": at(-1)}, "falco/falco-1 was not ready all the time"),
        ({"started": at(-3), "ready": at(-3)}, None),
        ({"restarts": 7}, None),
    ],
)
async def test_who_watched_all_the_time(more: dict[str, Any], lapse: str | None) -> None:
    found = await FalcoLogs(pods=[falco_pod(**more)]).find()
    assert found.sentries[0].lapses(BEGAN) == ([lapse] if lapse else [])
    assert [one.name for one in found.on("node-1")] == ["falco-1"]
    assert found.on("node-2") == []


async def test_json_text_and_chatter_in_one_log() -> None:
    logs = FalcoLogs()
    logs.put(
        falco_pod(),
        alert_line(1, rule="A"),
        "Sat Nov 21 12:00:02 2026: Opening 'syscall' source with modern BPF probe.",
        "12:00:02.000000001: Warning A shell (k8s.ns=shop container=0123456789ab)",
    )
    log = await read(logs)
    assert rules(log) == ["A", ""]
    assert log.faults == []
    assert log.alerts[0].at == at(1)
    assert log.alerts[1].at_ns == log.alerts[0].at_ns + 1_000_000_001, "a text gives no date: the line's own time does"
    assert log.alerts[1].alert.from_text


async def test_the_time_is_the_events_own() -> None:
    logs = FalcoLogs()
    logs.put(falco_pod(), alert_line(-30, rule="before"), alert_line(-1, rule="clocks"), alert_line(0.5, rule="within"))
    assert rules(await read(logs)) == ["clocks", "within"]


async def test_it_is_read_on_from_where_it_was_left() -> None:
    logs = FalcoLogs()
    logs.put(falco_pod(), alert_line(1, rule="A"))
    log = await log_of(logs)
    await log.read()
    logs.write("falco-1", alert_line(2, rule="B"))
    logs.write("falco-1", alert_line(2, rule="C"), seconds=1.9)
    await log.read_on()
    await log.read_on()
    assert sorted(rules(log)) == ["A", "B", "C"], "each once, though two streams swapped places"
    assert logs.asked[-1].since == at(1), "not the whole log again"


async def test_a_long_log_is_read_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(falco, "_PAGE", 2000)
    logs = FalcoLogs()
    logs.put(falco_pod())
    for number in range(300):
        logs.write("falco-1", alert_line(number, rule=f"r{number}"), seconds=number)
    log = await read(logs)
    assert rules(log) == [f"r{number}" for number in range(300)]
    assert log.faults == []
    assert len(logs.asked) > 50


async def test_one_second_that_fills_pages_is_read_in_a_larger_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(falco, "_PAGE", 2000)
    logs = FalcoLogs()
    logs.put(falco_pod())
    for number in range(60):
        logs.write("falco-1", alert_line(1, rule=f"r{number}"), seconds=1)
    log = await read(logs)
    assert rules(log) == [f"r{number}" for number in range(60)]
    assert log.faults == []


async def test_a_flood_that_no_page_holds_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(falco, "_PAGE", 1000)
    monkeypatch.setattr(falco, "_LARGEST_PAGE", 2000)
    logs = FalcoLogs()
    logs.put(falco_pod())
    for number in range(60):
        logs.write("falco-1", alert_line(1, rule=f"r{number}"), seconds=1)
    assert (await read(logs)).faults == ["the log of falco/falco-1 is longer than can be read"]


async def test_more_alerts_than_can_be_held_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(falco, "_MOST_ALERTS", 2)
    logs = FalcoLogs()
    logs.put(falco_pod(), *(alert_line(1, rule=f"r{number}") for number in range(4)))
    log = await read(logs)
    assert (rules(log), log.faults) == (["r0", "r1"], ["more than 2 alerts on node-1"])


@given(
    moments=st.lists(st.integers(min_value=0, max_value=4_000), max_size=40),
    cuts=st.lists(st.integers(min_value=0, max_value=40), max_size=4),
    page=st.sampled_from([700, 2000, 100_000]),
)
async def test_every_alert_is_read_once_however_it_is_paged(moments: list[int], cuts: list[int], page: int) -> None:
    """Milliseconds of lines that come in order, several of a moment too; read on after any number of them."""
    logs = FalcoLogs()
    logs.put(falco_pod())
    lines = [(moment / 1000, f"r{number}") for number, moment in enumerate(sorted(moments))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(falco, "_PAGE", page)
        log = await log_of(logs)
        for number, (seconds, rule) in enumerate(lines):
            if number in cuts:
                await log.read_on()
            logs.write("falco-1", alert_line(seconds, rule=rule), seconds=seconds)
        await log.read_on()
        await log.read_on()
    assert rules(log) == [rule for _, rule in lines]
    assert log.faults == []


async def test_only_what_is_wanted_is_kept() -> None:
    logs = FalcoLogs()
    logs.put(falco_pod(), alert_line(1, rule="A"), alert_line(1, rule="B"))

    def wanted(seen: Seen) -> bool:
        return seen.alert.rule == "B"

    log = AlertLog(logs, (await logs.find()).sentries[0], BEGAN, wanted)  # type: ignore[arg-type]  # a part of the port
    await log.read()
    assert rules(log) == ["B"]


@pytest.mark.parametrize(
    "line",
    [
        json.dumps({
            "rule": "Falco internal: syscall event drop", "priority": "Debug", "output": "o", "source": "internal",
            "time": "2024-11-21T12:00:03.000000000Z", "output_fields": {"n_drops": 3},
        }),
        "12:00:03.000000000: Debug Falco internal: syscall event drop. 3 system calls dropped in last second.",
    ],
    ids=["json", "text"],
)  # fmt: skip
async def test_events_that_falco_dropped_are_a_fault(line: str) -> None:
    logs = FalcoLogs()
    logs.put(falco_pod(), line)
    log = await read(logs)
    assert (rules(log), log.faults) == ([], ["Falco dropped events on node-1"])


async def test_what_falco_dropped_before_the_window_is_none() -> None:
    logs = FalcoLogs()
    logs.put(falco_pod(), alert_line(-500, rule="Falco internal: syscall event drop"))
    assert (await read(logs)).faults == []


@pytest.mark.parametrize(
    "words",
    [
        "Outputs queue out of memory. Drop event and continue on",
        "Falco internal: syscall event drop. 3 system calls dropped in last second.",
    ],
)
async def test_what_falco_dropped_and_only_logged_is_a_fault(words: str) -> None:
    logs = FalcoLogs()
    logs.put(falco_pod(), f"Sat Nov 21 12:00:02 2026: {words}")
    assert (await read(logs)).faults == ["Falco dropped events on node-1"]
    logs = FalcoLogs()
    logs.put(falco_pod())
    logs.write("falco-1", f"Sat Nov 21 11:59:30 2026: {words}", seconds=-30)
    assert (await read(logs)).faults == []


@pytest.mark.parametrize(
    "line",
    [
        '{"rule":"A","priority":"Warning"',
        '{"rule":"A","priority":"Grave","output":"o"}',
        "12:00:01.1: Warning " + "x" * LONGEST_LINE,
    ],
    ids=["cut off", "no priority", "too long"],
)
async def test_a_line_that_was_meant_as_an_alert_and_is_none_is_a_fault(line: str) -> None:
    logs = FalcoLogs()
    logs.put(falco_pod(), line)
    assert (await read(logs)).faults == ["the log of falco/falco-1 has lines that cannot be read"]


@pytest.mark.parametrize("second", [10, 0, -1])
async def test_the_run_before_is_read_where_falco_was_restarted(second: int) -> None:
    logs = FalcoLogs()
    logs.put(falco_pod(started=at(second), ready=at(second), restarts=1), alert_line(12, rule="after"), head=at(second))
    logs.previous["falco-1"] = [(at(1), alert_line(1, rule="before"))]
    assert rules(await read(logs)) == ["before", "after"]
    del logs.previous["falco-1"]
    assert (await read(logs)).faults == ["falco/falco-1 has no log of its run before"]


async def test_a_log_that_was_rotated_meanwhile_is_a_fault() -> None:
    logs = FalcoLogs()
    logs.put(falco_pod(), alert_line(20), head=at(15))
    assert (await read(logs)).faults == ["the log of falco/falco-1 was rotated meanwhile"]


async def test_a_log_that_was_rotated_before_or_begins_with_falco_is_whole() -> None:
    logs = FalcoLogs()
    logs.put(falco_pod(), alert_line(20), head=at(-5))
    assert (await read(logs)).faults == []
    logs = FalcoLogs()
    logs.put(falco_pod(started=at(10), ready=at(11)), alert_line(20), head=at(12))
    assert (await read(logs)).faults == []


@pytest.mark.parametrize("error", [Unavailable("500 Internal Server Error"), PermissionDenied("get pods/log")])
async def test_a_log_that_cannot_be_read_is_a_fault_until_it_can(error: Exception) -> None:
    logs = FalcoLogs()
    logs.put(falco_pod(), alert_line(1, rule="A"))
    logs.errors["falco-1"] = error
    log = await log_of(logs)
    await log.read()
    assert log.faults == [f"the log of falco/falco-1 cannot be read: {error}"]
    logs.errors.clear()
    await log.read_on()
    await log.check_whole()
    assert (rules(log), log.faults) == (["A"], [])


async def test_a_log_that_is_not_there_is_a_fault() -> None:
    logs = FalcoLogs(pods=[falco_pod()])
    assert "falco/falco-1 has no log" in (await read(logs)).faults
