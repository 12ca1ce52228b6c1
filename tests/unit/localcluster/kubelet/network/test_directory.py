"""From the API's objects to the switch's tables."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.localcluster.kubelet.network.directory import Objects, tables
from aegis.localcluster.kubelet.network.tables import ServicePort, Tables

A, B, C = "10.244.1.1", "10.244.1.2", "10.244.2.1"
DNS = "10.244.0.2"


def pod(name: str, address: str, namespace: str = "shop", port: int = 8080, **labels: str) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": port}]
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "c", "ports": ports}]},
        "status": {"podIP": address, "phase": "Running"},
    }


PODS = [pod("a", A, app="a"), pod("b", B, port=9090, app="b"), pod("c", C, "bank", app="a")]
NAMESPACES: list[dict[str, Any]] = [
    {"metadata": {"name": "shop"}},
    {"metadata": {"name": "bank", "labels": {"team": "money"}}},
]


def policed(*specs: dict[str, Any]) -> Tables:
    policies = [
        {"metadata": {"name": f"p{number}", "namespace": "shop"}, "spec": spec} for number, spec in enumerate(specs)
    ]
    return tables(Objects(pods=PODS, namespaces=NAMESPACES, policies=policies, nodes=["172.18.0.2"]))


def reach(made: Tables, port: int = 8080, protocol: str = "TCP") -> set[str]:
    names = {"a": A, "b": B, "c": C}
    return {
        f"{one}{other}"
        for one, source in names.items()
        for other, destination in names.items()
        if one != other and made.allows(source, destination, protocol, port)
    }


ALL = {"ab", "ac", "ba", "bc", "ca", "cb"}
TO_A = {"podSelector": {"matchLabels": {"app": "a"}}}


@pytest.mark.parametrize(
    ("spec", "reached"),
    [
        ({"podSelector": {}}, {"ac", "bc"}),
        ({"podSelector": {}, "policyTypes": ["Egress"]}, {"ca", "cb"}),
        ({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}, set()),
        ({"podSelector": {}, "ingress": [{}]}, ALL),
        ({**TO_A, "ingress": []}, ALL - {"ba", "ca"}),
        ({**TO_A, "ingress": [{"from": [{"podSelector": {}}]}]}, ALL - {"ca"}),
        ({**TO_A, "ingress": [{"from": [{"namespaceSelector": {}}]}]}, ALL),
        ({**TO_A, "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "money"}}}]}]}, ALL - {"ba"}),
        (
            {
                **TO_A,
                "ingress": [
                    {
                        "from": [
                            {
                                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "bank"}},
                                "podSelector": {"matchLabels": {"app": "z"}},
                            }
                        ]
                    }
                ],
            },
            ALL - {"ba", "ca"},
        ),
        (
            {**TO_A, "ingress": [{"from": [{"ipBlock": {"cidr": "10.244.0.0/16", "except": ["10.244.2.0/24"]}}]}]},
            ALL - {"ca"},
        ),
        ({**TO_A, "ingress": [{"ports": [{"port": 8080}]}]}, ALL),
        ({**TO_A, "ingress": [{"ports": [{"port": 80, "endPort": 9000}]}]}, ALL),
        ({**TO_A, "ingress": [{"ports": [{"port": 80}]}]}, ALL - {"ba", "ca"}),
        ({**TO_A, "ingress": [{"ports": [{"protocol": "UDP"}]}]}, ALL - {"ba", "ca"}),
        ({**TO_A, "ingress": [{"ports": [{"port": "http"}]}]}, ALL),
        ({"podSelector": {}, "ingress": [{"ports": [{"port": "http"}]}]}, ALL - {"ab", "cb"}),
        ({**TO_A, "ingress": [{"ports": [{"port": "gone"}]}]}, ALL - {"ba", "ca"}),
        ({**TO_A, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {}}]}]}, ALL - {"ac"}),
        ({**TO_A, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": "http"}]}]}, ALL - {"ab"}),
        ({**TO_A, "egress": []}, ALL - {"ab", "ac", "ba", "ca"}),
        (
            {"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}},
            ALL - {"ab", "cb"},
        ),
    ],
)
def test_who_reaches_whom_at_8080(spec: dict[str, Any], reached: set[str]) -> None:
    assert reach(policed(spec)) == reached


def test_policies_add_up() -> None:
    deny: dict[str, Any] = {"podSelector": {}}
    allow = {**TO_A, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "b"}}}]}]}
    assert reach(policed(deny, allow)) == {"ac", "bc", "ba"}


def test_the_dns_server_is_a_pod_like_any_other() -> None:
    to_dns = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    shut = policed({"podSelector": {}, "policyTypes": ["Egress"]})
    assert not shut.allows(A, DNS, "UDP", 53)
    opened = policed({
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"to": [to_dns], "ports": [{"port": 53, "protocol": "UDP"}]}],
    })
    assert opened.allows(A, DNS, "UDP", 53)
    assert not opened.allows(A, DNS, "TCP", 53)


def test_nodes_reach_everyone_and_a_finished_pod_nobody() -> None:
    made = policed({"podSelector": {}})
    assert made.allows("172.18.0.2", A, "TCP", 1)
    over = {**PODS[0], "status": {"podIP": A, "phase": "Succeeded"}}
    assert A not in tables(Objects(pods=[over])).pods


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def slices(name: str, *endpoints: dict[str, Any], port: int = 8080, port_name: str = "http") -> dict[str, Any]:
    return {
        "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
    }


WEB = service("web", clusterIP="10.96.0.5", ports=[{"name": "http", "port": 80, "nodePort": 30080}])


def test_services_lead_to_their_ready_endpoints() -> None:
    ready = slices("web", {"addresses": [B]}, {"addresses": [A], "conditions": {"ready": False}})
    made = tables(Objects(services=[WEB], slices=[ready], nodes=["172.18.0.2"]))
    assert made.services[ServicePort(address="10.96.0.5", port=80, protocol="TCP")] == ((B, 8080),)
    assert made.services[ServicePort(address="172.18.0.2", port=30080, protocol="TCP")] == ((B, 8080),)
    assert made.names["web.shop.svc.cluster.local"] == ("10.96.0.5",)


def test_a_service_without_slices_has_no_endpoints() -> None:
    made = tables(Objects(services=[WEB]))
    assert made.services[ServicePort(address="10.96.0.5", port=80, protocol="TCP")] == ()


def test_headless_external_and_sticky_services() -> None:
    headless = service("db", clusterIP="None", ports=[{"port": 5432}])
    named = slices("db", {"addresses": [A], "hostname": "db-0"}, {"addresses": [B]})
    outside = service("far", type="ExternalName", externalName="example.org.")
    sticky = service("web", clusterIP="10.96.0.5", sessionAffinity="ClientIP", ports=[{"port": 80}])
    made = tables(Objects(services=[headless, outside, sticky], slices=[named]))
    assert made.names["db.shop.svc.cluster.local"] == (A, B)
    assert made.names["db-0.db.shop.svc.cluster.local"] == (A,)
    assert made.aliases == {"far.shop.svc.cluster.local": "example.org"}
    assert made.sticky == {ServicePort(address="10.96.0.5", port=80, protocol="TCP")}


def test_the_api_server() -> None:
    spec = {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443}]}
    api = {"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": spec}
    address = ServicePort(address="10.96.0.1", port=443, protocol="TCP")
    assert tables(Objects(services=[api], api=("172.18.0.2", 6443))).services[address] == (("172.18.0.2", 6443),)
    assert tables(Objects(services=[api])).services[address] == ()
