"""Files and the pods of Falco as sources of alerts: what is there, and then what comes."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import pytest
from falco_logs import BEGAN, FalcoLogs, alert_line, at, falco_pod

from aegis.errors import PermissionDenied, Unavailable, UsageError
from aegis.evidence.alert_file import FileAlerts, PodAlerts
from aegis.evidence.falco import FalcoPlace
from aegis.falco.query import AlertQuery
from aegis.ports import AlertBatch, AlertSource

ALL = AlertQuery()
SINCE = AlertQuery(since=BEGAN)


def rules(batch: AlertBatch) -> list[str]:
    return [one.rule for one in batch.alerts]


def lines(*names: str) -> str:
    return "".join(alert_line(rule=name) + "\n" for name in names)


async def test_a_file_is_read_and_then_what_was_written_since(tmp_path: Path) -> None:
    path = tmp_path / "falco.log"
    path.write_text("chatter\n" + lines("a", "b") + alert_line(rule="c"))
    source: AlertSource = FileAlerts(path)
    assert rules(await source.read(ALL, 10)) == ["a", "b", "c"], "the last line needs no line break"
    assert rules(await source.read(ALL, 10)) == ["c"], "which may be a part of one: it is read again"
    with path.open("a") as file:
        file.write("\n" + lines("d")[:20])
    assert rules(await source.read(ALL, 10)) == ["c"]
    with path.open("a") as file:
        file.write(lines("d")[20:] + lines("e"))
    assert rules(await source.read(ALL, 10)) == ["d", "e"]
    assert rules(await source.read(ALL, 10)) == []


async def test_a_file_that_was_rotated_or_cut_is_read_from_its_begin(tmp_path: Path) -> None:
    path = tmp_path / "falco.log"
    path.write_text(lines("a", "b"))
    source = FileAlerts(path)
    await source.read(ALL, 10)
    path.write_text(lines("c"))
    assert rules(await source.read(ALL, 10)) == ["c"]
    path.rename(tmp_path / "falco.log.1")
    path.write_text(lines("d", "e", "f"))
    assert rules(await source.read(ALL, 10)) == ["d", "e", "f"]


async def test_the_last_of_a_file_are_kept() -> None:
    batch = await FileAlerts(io.BytesIO(lines("a", "b", "c").encode())).read(ALL, 2)
    assert (rules(batch), batch.notes) == (["b", "c"], ("only the newest 2 of 3 are shown",))


async def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        await FileAlerts(tmp_path / "none").read(ALL, 1)


@pytest.fixture
def logs() -> FalcoLogs:
    made = FalcoLogs()
    for node in ("node-1", "node-2"):
        made.put(falco_pod(f"falco-{node}", node=node))
    return made


def pods(logs: FalcoLogs) -> AlertSource:
    return PodAlerts(logs, FalcoPlace())  # type: ignore[arg-type]  # a part of the port


async def test_the_pods_of_falco_tell_together_and_then_what_comes(logs: FalcoLogs) -> None:
    logs.write("falco-node-1", alert_line(2, rule="b", ns="shop"))
    logs.write("falco-node-2", alert_line(1, rule="a", ns="shop"))
    logs.write("falco-node-2", alert_line(1, rule="x", ns="shop-prod"))
    logs.write("falco-node-2", "12:00:03.5: Warning Opened | k8s_ns_name=shop", seconds=4)
    source = pods(logs)
    query = AlertQuery(namespace="shop", since=BEGAN)
    batch = await source.read(query, 10)
    assert rules(batch) == ["a", "b", ""]
    assert (batch.alerts[2].time, batch.alerts[2].hostname) == (BEGAN + timedelta(seconds=3.5), "node-2")
    assert rules(await source.read(query, 10)) == []
    logs.write("falco-node-1", alert_line(9, rule="c", ns="shop"), seconds=9)
    assert rules(await source.read(query, 10)) == ["c"]


async def test_what_cannot_be_read_of_them_is_noted(logs: FalcoLogs) -> None:
    logs.errors["falco-node-1"] = PermissionDenied("get pods/log")
    logs.write("falco-node-2", alert_line(1, rule="a"))
    batch = await pods(logs).read(SINCE, 10)
    assert rules(batch) == ["a"]
    assert batch.notes == ("the log of falco/falco-node-1 cannot be read: get pods/log",)


async def test_without_falco_there_is_nothing_to_ask() -> None:
    with pytest.raises(Unavailable, match="no Falco was found"):
        await pods(FalcoLogs()).read(SINCE, 1)


async def test_a_window_of_them_ends_where_it_is_said(logs: FalcoLogs) -> None:
    for seconds in (1, 5, 9):
        logs.write("falco-node-1", alert_line(seconds, rule=str(seconds)), seconds=seconds)
    assert rules(await pods(logs).read(AlertQuery(since=at(2), until=at(5)), 10)) == ["5"]
