from typing import Any

import pytest

from aegis.diagnosis.graph import Graph
from aegis.diagnosis.network import Way, allows_dns, denying, peer
from aegis.evidence.ledger import Ledger


def _graph(*policies: dict[str, Any], namespace: str = "shop") -> Graph:
    ledger = Ledger()
    ledger.object({"kind": "Namespace", "metadata": {"name": "ops", "labels": {"team": "ops"}}})
    for index, spec in enumerate(policies):
        ledger.object({
            "kind": "NetworkPolicy",
            "metadata": {"name": f"p{index}", "namespace": namespace},
            "spec": spec,
        })
    return Graph(ledger.evidence())


def _cut(graph: Graph, *, source: str = "shop", port: int | str = 80) -> list[tuple[str, str]]:
    way = Way(source=peer(graph, source, {"app": "web"}), target=peer(graph, "shop", {"app": "db"}), port=port)
    return [(direction, policy.ref.name) for direction, policy in denying(graph, way)]


DB = {"matchLabels": {"app": "db"}}


@pytest.mark.parametrize(
    ("spec", "cut"),
    [
        ({"podSelector": DB, "policyTypes": ["Ingress"]}, True),
        ({"podSelector": DB}, True),
        ({"podSelector": {"matchLabels": {"app": "other"}}}, False),
        ({"podSelector": {}, "ingress": [{}]}, False),
        ({"podSelector": DB, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]}, False),
        ({"podSelector": DB, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "api"}}}]}]}, True),
        ({"podSelector": DB, "ingress": [{"ports": [{"port": 80}]}]}, False),
        ({"podSelector": DB, "ingress": [{"ports": [{"port": 81}]}]}, True),
        ({"podSelector": DB, "ingress": [{"ports": [{"port": 70, "endPort": 90}]}]}, False),
        ({"podSelector": DB, "ingress": [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}, False),
        ({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"]}, True),
        (
            {
                "podSelector": {"matchLabels": {"app": "web"}},
                "policyTypes": ["Egress"],
                "egress": [{"to": [{"podSelector": DB}]}],
            },
            False,
        ),
    ],
)
def test_one_policy(spec: dict[str, Any], cut: bool) -> None:
    assert bool(_cut(_graph(spec))) is cut


def test_policies_add_up() -> None:
    deny = {"podSelector": DB, "policyTypes": ["Ingress"]}
    allow: dict[str, Any] = {"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]}

    assert _cut(_graph(deny)) == [("ingress", "p0")]
    assert _cut(_graph(deny, allow)) == []


def test_a_pod_selector_alone_means_the_policys_own_namespace() -> None:
    own = _graph({"podSelector": DB, "ingress": [{"from": [{"podSelector": {}}]}]})
    every = _graph({
        "podSelector": DB,
        "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "ops"}}}]}],
    })
    by_name = _graph({
        "podSelector": DB,
        "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}}}]}],
    })

    assert _cut(own, source="ops") == [("ingress", "p0")]
    assert _cut(every, source="ops") == []
    assert _cut(by_name, source="ops") == []
    assert _cut(every) == [("ingress", "p0")]


def test_dns_has_to_be_let_out() -> None:
    here = {"app": "web"}
    closed = _graph({"podSelector": {}, "policyTypes": ["Egress"]})
    opened = _graph({
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}],
    })

    assert not allows_dns(closed, peer(closed, "shop", here))
    assert allows_dns(opened, peer(opened, "shop", here))
    assert allows_dns(_graph(), peer(_graph(), "shop", here))
