from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.diagnosis.calls import Address, addresses_in, calls_of
from aegis.diagnosis.graph import Graph
from aegis.evidence.ledger import Ledger


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://db:5432/x", [("db", 5432)]),
        ("postgres://user:pw@db.data.svc.cluster.local/app", [("db.data.svc.cluster.local", None)]),
        ("dial tcp: lookup cache.shop.svc: no such host", [("cache.shop.svc", None)]),
        ("connect ECONNREFUSED db:6379", [("db", 6379)]),
        ("localhost:8080 and http://localhost/", []),
        ("at 12:30 a.m., exit", []),
        ("image web:1.27", []),
        ("", []),
    ],
)
def test_addresses(text: str, found: list[tuple[str, int | None]]) -> None:
    assert [(a.host, a.port) for a in addresses_in(text)] == found


@given(st.text(max_size=300))
def test_any_text_has_addresses_or_none(text: str) -> None:
    assert all(isinstance(address, Address) for address in addresses_in(text))


def _graph(container: dict[str, Any], *objects: dict[str, Any]) -> Graph:
    ledger = Ledger()
    ledger.object({
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    })
    for obj in objects:
        ledger.object({**obj, "metadata": {"namespace": "shop", **obj["metadata"]}})
    return Graph(ledger.evidence())


def _calls(graph: Graph) -> list[tuple[str, str]]:
    web = graph.get("Deployment", "shop", "web")
    assert web is not None
    return [("/".join(call.service[1:]), call.path) for call in calls_of(graph, web)]


def test_services_are_named_in_variables_arguments_and_config_maps() -> None:
    container = {
        "name": "c",
        "env": [
            {"name": "DB_HOST", "value": "db"},
            {"name": "NAME", "value": "web"},
            {"name": "CACHE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "cache"}}},
        ],
        "envFrom": [{"configMapRef": {"name": "all"}}],
        "args": ["--upstream=http://api.other.svc:80"],
    }
    graph = _graph(
        container,
        {"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"cache": "redis://cache:6379"}},
        {"kind": "ConfigMap", "metadata": {"name": "all"}, "data": {"QUEUE_URL": "amqp://queue"}},
    )

    assert _calls(graph) == [
        ("shop/db", "containers[c].env[DB_HOST]"),
        ("shop/cache", "containers[c].env[CACHE]"),
        ("shop/queue", "containers[c].envFrom[0]"),
        ("other/api", "containers[c].args"),
    ]


def test_an_address_is_the_service_that_has_it() -> None:
    service = {"kind": "Service", "metadata": {"name": "db"}, "spec": {"clusterIP": "10.0.0.9"}}

    assert _calls(_graph({"name": "c", "env": [{"name": "DB", "value": "http://10.0.0.9:80"}]}, service)) == [
        ("shop/db", "containers[c].env[DB]")
    ]


def test_the_outside_is_no_service() -> None:
    assert _calls(_graph({"name": "c", "env": [{"name": "API", "value": "https://api.example.com/v1"}]})) == []
