"""Alerts out of VictoriaLogs and Loki: both services parse what they are asked, and refuse what they would refuse."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from log_services import LogServices, Text, log_services
from log_services import logql as parse_logql
from log_services import logsql as parse_logsql

from aegis.drivers.http import HttpOptions, open_http
from aegis.errors import Invalid, Unavailable
from aegis.evidence import loki as loki_module
from aegis.evidence.loki import Loki, logql
from aegis.evidence.quoting import quoted
from aegis.evidence.victorialogs import VictoriaLogs, logsql
from aegis.falco.priority import Priority
from aegis.falco.query import AlertQuery
from aegis.ports import AlertBatch

NOON = datetime(2024, 11, 21, 12, tzinfo=UTC)
DAY = AlertQuery(since=NOON - timedelta(days=1), until=NOON + timedelta(days=1))
HOSTILE = [
    'x" or rule:*', "x' or *", "x`", "\\", '\\"', 'a"b', "a\nb", "a\r\tb", "\x00\x1b\x7f", "é\u2028\U0001f600", "\udc80",
    "x) | delete", "{}", '"} |= "', "val(proc.name)", "", " ", "in(a,b)", "re(.*)", "*", "_time:1y", "%s", "a,b",
]  # fmt: skip


@pytest.fixture
async def services() -> AsyncIterator[LogServices]:
    async with log_services() as made:
        yield made


def put(services: LogServices, seconds: float = 0.0, **more: Any) -> None:
    """An alert as falcosidekick gives it to both: labels, and the sentence as the line."""
    moment = NOON + timedelta(seconds=seconds)
    labels = {
        "rule": "Terminal shell in container", "priority": "Critical", "source": "syscall", "hostname": "node-1",
        "k8s_ns_name": "shop", "k8s_pod_name": "web-1", "tags": "container,shell",
    } | more  # fmt: skip
    line = labels.pop("line", f"{moment:%H:%M:%S.%f}000: Critical A shell | process=sh k8s_ns_name=evil")
    services.rows.append({**labels, "_time": moment.isoformat(), "_msg": line, "_stream": "{}", "_stream_id": "0"})
    services.entries.append((int(moment.timestamp() * 1000) * 1_000_000, labels, line))


async def ask(services: LogServices, kind: str, query: AlertQuery = DAY, limit: int = 100) -> AlertBatch:
    async with open_http(HttpOptions(url=services.url, token="t0k3n")) as client:
        source = VictoriaLogs(client) if kind == "victorialogs" else Loki(client)
        assert source.name == kind
        return await source.read(query, limit)


both = pytest.mark.parametrize("kind", ["victorialogs", "loki"])


@both
async def test_alerts_come_back_in_the_order_of_events(services: LogServices, kind: str) -> None:
    for seconds in (3, 1, 2):
        put(services, seconds)
    put(services, 1, source="nginx")
    batch = await ask(services, kind)
    assert [one.time for one in batch.alerts] == [NOON + timedelta(seconds=one) for one in (1, 2, 3)]
    (first, *_) = batch.alerts
    assert (first.rule, first.priority, first.hostname) == ("Terminal shell in container", Priority.CRITICAL, "node-1")
    assert first.text("k8s.ns.name") == "shop", "the label's word, not the sentence's"
    assert first.from_text
    assert batch.notes == ()
    assert services.headers[0]["Authorization"] == "Bearer t0k3n"


@both
async def test_only_what_is_asked_for_comes_back(services: LogServices, kind: str) -> None:
    put(services, 1, priority="critical")
    put(services, 2, priority="Notice")
    put(services, 3, k8s_ns_name="shop-prod")
    put(services, 4, rule="Other")
    put(services, 5000)

    async def count(**query: Any) -> int:
        asked = AlertQuery(**{"since": DAY.since, "until": DAY.until, **query})
        return len((await ask(services, kind, asked)).alerts)

    assert await count() == 5
    assert await count(priority=Priority.WARNING) == 4
    assert await count(namespace="shop") == 4
    assert await count(namespace="sho") == 0
    assert await count(rule="Other") == 1
    assert await count(until=NOON + timedelta(seconds=4)) == 4
    assert await count(since=NOON + timedelta(seconds=4)) == 2


async def test_a_line_of_json_is_whole_wherever_it_lies(services: LogServices) -> None:
    fields = {"k8s.ns.name": "shop", "proc.tty": 0, "proc.cmdline": "sh", "evt.time": 1795221075873270750}
    document = {"rule": "R", "priority": "Critical", "output": "o", "source": "syscall", "output_fields": fields,
                "hostname": "n", "tags": ["a"], "time": "2024-11-21T12:00:00.000000001Z"}  # fmt: skip
    services.entries.append((1732190400 * 10**9, {"source": "syscall", "priority": "Critical"}, json.dumps(document)))
    flat = {f"output_fields.{name}": str(value) for name, value in fields.items()}
    row = {name: value for name, value in document.items() if isinstance(value, str)} | flat
    services.rows.append({**row, "tags": '["a"]', "_time": "2024-11-21T12:00:00Z", "_msg": ""})
    asked = AlertQuery(since=DAY.since, until=DAY.until, rule="", priority=Priority.CRITICAL)
    for kind in ("victorialogs", "loki"):
        (alert,) = (await ask(services, kind, asked)).alerts
        assert dict(alert.fields) == fields, kind
        assert (alert.tags, alert.time_ns, alert.from_text) == (("a",), 1732190400 * 10**9 + 1, False)
    by_name = AlertQuery(since=DAY.since, until=DAY.until, namespace="shop")
    assert len((await ask(services, "victorialogs", by_name)).alerts) == 1, "by the flattened field"


@both
async def test_the_newest_are_kept_of_many(services: LogServices, kind: str) -> None:
    for number in range(20):
        put(services, number)
    batch = await ask(services, kind, limit=5)
    assert [one.time for one in batch.alerts] == [NOON + timedelta(seconds=number) for number in range(15, 20)]
    assert batch.notes == ("only the newest 5 were asked for",)


async def test_loki_is_read_in_pages_and_none_is_lost_where_two_meet(
    services: LogServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loki_module, "_PAGE", 4)
    for number in range(11):
        put(services, number // 3, line=f"line {number}")
    batch = await ask(services, "loki")
    assert {one.output for one in batch.alerts} == {f"line {number}" for number in range(11)}
    assert batch.notes == ()
    assert len(services.queries) > 3


async def test_seed_like_words_stand_in_the_question(services: LogServices) -> None:
    text = logsql(AlertQuery(since=NOON, until=NOON, rule="R", priority=Priority.ALERT), 7)
    assert text == (
        "_time:[2024-11-21T12:00:00.000000Z,2024-11-21T12:00:00.000000Z] source:syscall "
        'rule:="R" priority:in("Emergency","emergency","Alert","alert") | sort by (_time desc) limit 7'
    )
    assert "_time:[" in logsql(AlertQuery(), 1), "without a time filter everything is read"


@pytest.mark.parametrize("value", HOSTILE)
async def test_a_hostile_value_stays_a_value(services: LogServices, value: str) -> None:
    put(services, 1)
    if value and value.isprintable():
        put(services, 2, rule=value, k8s_ns_name=value)
    asked = AlertQuery(since=DAY.since, until=DAY.until, rule=value, namespace=value)
    for kind in ("victorialogs", "loki"):
        batch = await ask(services, kind, asked)
        found = {one.rule for one in batch.alerts}
        assert found <= {value} if value else len(batch.alerts) == 1


@given(st.text())
def test_no_value_gets_out_of_its_quotes(value: str) -> None:
    text = Text(quoted(value) + " rest")
    assert text.string() == value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    assert text.text[text.at :] == " rest"


@given(rule=st.text(min_size=1), namespace=st.text(min_size=1), other=st.text(min_size=1))
def test_a_question_keeps_its_shape_whatever_the_values(rule: str, namespace: str, other: str) -> None:
    query = AlertQuery(since=NOON, until=NOON, rule=rule, namespace=namespace, priority=Priority.ERROR)
    row = {"_time": NOON.isoformat(), "source": "syscall", "priority": "Error", "rule": rule, "k8s_ns_name": namespace}
    for kept in (parse_logsql(logsql(query, 5))[0], parse_logql(logql(query))):
        assert kept(row)
        assert not kept(row | {"rule": rule + other})
        assert not kept(row | {"k8s_ns_name": other + namespace})
        assert not kept(row | {"source": "nginx"})


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("victorialogs", b"<html>"),
        ("victorialogs", b'{"a":"b"}\n[1]'),
        ("loki", b"<html>"),
        ("loki", b"{}"),
        ("loki", b'{"data":{"resultType":"matrix","result":[]}}'),
        ("loki", b'{"data":{"resultType":"streams","result":[{"stream":{},"values":[["x","y"]]}]}}'),
        ("loki", b'{"data":{"resultType":"streams","result":[{"stream":{},"values":[[]]}]}}'),
    ],
)
async def test_what_is_no_answer_is_unavailable(services: LogServices, kind: str, body: bytes) -> None:
    services.instead.append(web.Response(body=body))
    with pytest.raises(Unavailable, match="answer"):
        await ask(services, kind)


async def test_a_question_that_is_refused_says_why(services: LogServices) -> None:
    services.instead.append(web.Response(status=400, text="cannot parse query"))
    with pytest.raises(Invalid, match="cannot parse query"):
        await ask(services, "victorialogs")
