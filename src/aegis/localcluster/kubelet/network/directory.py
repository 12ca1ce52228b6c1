"""The switch's tables, worked out from the API's objects. Pure.

Sources: the Kubernetes API reference (discovery/v1 EndpointSlice, networking/v1 NetworkPolicy) and the Kubernetes DNS
specification. Policies see a flow after its Service was resolved, as most network plug-ins do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aegis.kube.selector import Selector, label_selector
from aegis.localcluster.api import Object
from aegis.localcluster.kubelet.network.dns import ZONE
from aegis.localcluster.kubelet.network.switch import DNS_ADDRESS, DNS_SERVICE
from aegis.localcluster.kubelet.network.tables import Block, Isolation, PortRange, Rule, ServicePort, Tables

_SERVICE_LABEL = "kubernetes.io/service-name"
_NAME_LABEL = "kubernetes.io/metadata.name"
_FINISHED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What the tables are made from.

    Attributes:
        nodes: the nodes' addresses.
        api: where `kubernetes.default` leads; None where pods cannot reach the API server.
    """

    pods: Sequence[Object] = ()
    namespaces: Sequence[Object] = ()
    services: Sequence[Object] = ()
    slices: Sequence[Object] = ()
    policies: Sequence[Object] = ()
    nodes: Sequence[str] = ()
    api: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pod:
    namespace: str
    address: str
    labels: Mapping[str, str]
    ports: Mapping[tuple[str, str], int] = field(default_factory=dict)


def tables(objects: Objects) -> Tables:
    """Everything the switch has to know."""
    pods = [*map(_pod, filter(_in_network, objects.pods)), _DNS_POD]
    services, names, aliases = _services(objects)
    return Tables(
        nodes=frozenset(objects.nodes),
        pods=frozenset(pod.address for pod in pods),
        services=services,
        sticky=frozenset(_sticky(objects.services)),
        isolation=_isolation(pods, objects.namespaces, objects.policies),
        names=names,
        aliases=aliases,
    )


_DNS_POD = _Pod(
    namespace="kube-system",
    address=DNS_ADDRESS,
    labels={"k8s-app": "kube-dns"},
    ports={("dns", "UDP"): 53, ("dns-tcp", "TCP"): 53},
)
_DNS_PORTS = {
    ServicePort(address=DNS_SERVICE, port=53, protocol="UDP"): ((DNS_ADDRESS, 53),),
    ServicePort(address=DNS_SERVICE, port=53, protocol="TCP"): (),
}


def _in_network(pod: Object) -> bool:
    status = pod.get("status") or {}
    return bool(status.get("podIP")) and status.get("phase") not in _FINISHED


def _pod(pod: Object) -> _Pod:
    return _Pod(
        namespace=pod["metadata"]["namespace"],
        address=pod["status"]["podIP"],
        labels=pod["metadata"].get("labels") or {},
        ports={
            (port["name"], port.get("protocol") or "TCP"): port["containerPort"]
            for container in pod["spec"]["containers"]
            for port in container.get("ports") or ()
            if port.get("name")
        },
    )


# Services and names.


def _services(
    objects: Objects,
) -> tuple[dict[ServicePort, tuple[tuple[str, int], ...]], dict[str, tuple[str, ...]], dict[str, str]]:
    routes: dict[ServicePort, tuple[tuple[str, int], ...]] = dict(_DNS_PORTS)
    names: dict[str, tuple[str, ...]] = {f"kube-dns.kube-system.svc.{ZONE}": (DNS_SERVICE,)}
    aliases: dict[str, str] = {}
    slices = _by_service(objects.slices)
    for service in objects.services:
        metadata, spec = service["metadata"], service["spec"]
        name = f"{metadata['name']}.{metadata['namespace']}.svc.{ZONE}"
        own = slices.get((metadata["namespace"], metadata["name"]), [])
        if spec.get("type") == "ExternalName":
            aliases[name] = spec.get("externalName", "").rstrip(".")
        elif spec.get("clusterIP") == "None":
            names.update(_headless(name, own))
        elif spec.get("clusterIP"):
            names[name] = (spec["clusterIP"],)
            routes.update(_routes(service, own, objects))
    return routes, names, aliases


def _by_service(slices: Iterable[Object]) -> dict[tuple[str, str], list[Object]]:
    found: dict[tuple[str, str], list[Object]] = {}
    for one in slices:
        service = (one["metadata"].get("labels") or {}).get(_SERVICE_LABEL)
        if service and one.get("addressType") == "IPv4":
            found.setdefault((one["metadata"]["namespace"], service), []).append(one)
    return found


def _ready(endpoint: Mapping[str, Any]) -> bool:
    return (endpoint.get("conditions") or {}).get("ready") is not False


def _headless(name: str, slices: Iterable[Object]) -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    everyone: list[str] = []
    for endpoint in (one for part in slices for one in part.get("endpoints") or () if _ready(one)):
        everyone += endpoint["addresses"]
        host = endpoint.get("hostname") or endpoint["addresses"][0].replace(".", "-")
        names[f"{host}.{name}"] = tuple(endpoint["addresses"])
    return {**names, name: tuple(sorted(everyone))} if everyone else {name: ()}


def _routes(
    service: Object, slices: Sequence[Object], objects: Objects
) -> dict[ServicePort, tuple[tuple[str, int], ...]]:
    metadata, spec = service["metadata"], service["spec"]
    routes = {}
    for port in spec.get("ports") or ():
        protocol = port.get("protocol") or "TCP"
        endpoints = _endpoints(slices, port.get("name") or "", protocol)
        if (metadata["namespace"], metadata["name"]) == ("default", "kubernetes"):
            endpoints = () if objects.api is None else (objects.api,)
        addresses = [spec["clusterIP"], *(spec.get("externalIPs") or ())]
        routes.update({
            ServicePort(address=address, port=port["port"], protocol=protocol): endpoints for address in addresses
        })
        if port.get("nodePort"):
            routes.update({
                ServicePort(address=node, port=port["nodePort"], protocol=protocol): endpoints for node in objects.nodes
            })
    return routes


def _endpoints(slices: Iterable[Object], name: str, protocol: str) -> tuple[tuple[str, int], ...]:
    found = []
    for part in slices:
        number = next(
            (
                port.get("port")
                for port in part.get("ports") or ()
                if (port.get("name") or "") == name and (port.get("protocol") or "TCP") == protocol
            ),
            None,
        )
        if number is not None:
            ready = [one for one in part.get("endpoints") or () if _ready(one)]
            found += [(address, int(number)) for endpoint in ready for address in endpoint["addresses"]]
    return tuple(sorted(found))


def _sticky(services: Iterable[Object]) -> Iterable[ServicePort]:
    for service in services:
        spec = service["spec"]
        if spec.get("sessionAffinity") == "ClientIP" and spec.get("clusterIP"):
            for port in spec.get("ports") or ():
                yield ServicePort(address=spec["clusterIP"], port=port["port"], protocol=port.get("protocol") or "TCP")


# NetworkPolicy.


def _isolation(pods: Sequence[_Pod], namespaces: Sequence[Object], policies: Sequence[Object]) -> dict[str, Isolation]:
    labels = {one["metadata"]["name"]: _namespace_labels(one) for one in namespaces}
    into: dict[str, list[Rule]] = {}
    out: dict[str, list[Rule]] = {}
    cluster = _Cluster(pods=pods, labels=labels)
    for policy in policies:
        spec, namespace = policy["spec"], policy["metadata"]["namespace"]
        types = spec.get("policyTypes") or (["Ingress", "Egress"] if "egress" in spec else ["Ingress"])
        for pod in _selected(policy, pods):
            if "Ingress" in types:
                found = [_ingress(rule, pod, namespace, cluster) for rule in spec.get("ingress") or ()]
                into.setdefault(pod.address, []).extend(rule for rules in found for rule in rules)
            if "Egress" in types:
                found = [_egress(rule, namespace, cluster) for rule in spec.get("egress") or ()]
                out.setdefault(pod.address, []).extend(rule for rules in found for rule in rules)
    return {
        address: Isolation(
            ingress=tuple(into[address]) if address in into else None,
            egress=tuple(out[address]) if address in out else None,
        )
        for address in into.keys() | out.keys()
    }


def _namespace_labels(namespace: Object) -> dict[str, str]:
    return {_NAME_LABEL: namespace["metadata"]["name"], **(namespace["metadata"].get("labels") or {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    pods: Sequence[_Pod]
    labels: Mapping[str, Mapping[str, str]]


def _selected(policy: Object, pods: Sequence[_Pod]) -> list[_Pod]:
    selector = label_selector(policy["spec"].get("podSelector"))
    namespace = policy["metadata"]["namespace"]
    return [pod for pod in pods if pod.namespace == namespace and selector.matches(pod.labels)]


def _ingress(rule: Mapping[str, Any], pod: _Pod, namespace: str, cluster: _Cluster) -> list[Rule]:
    ports = _ports(rule.get("ports"), pod)
    if ports == ():
        return []
    return [_with_peers(rule.get("from"), ports, namespace, cluster)]


def _egress(rule: Mapping[str, Any], namespace: str, cluster: _Cluster) -> list[Rule]:
    asked = rule.get("ports") or ()
    named = [port for port in asked if isinstance(port.get("port"), str)]
    numbered = [port for port in asked if port not in named]
    rules = []
    if numbered or not asked:
        rules.append(_with_peers(rule.get("to"), _ports(numbered, None), namespace, cluster))
    if named:
        # A port's name means another number at each pod that is spoken to.
        peers = _with_peers(rule.get("to"), None, namespace, cluster)
        for other in cluster.pods:
            ports = _ports(named, other)
            if ports and (peers.addresses is None or other.address in peers.addresses):
                rules.append(Rule(addresses=frozenset({other.address}), ports=ports))
    return rules


def _with_peers(
    peers: Sequence[Mapping[str, Any]] | None,
    ports: tuple[PortRange, ...] | None,
    namespace: str,
    cluster: _Cluster,
) -> Rule:
    if not peers:
        return Rule(ports=ports)
    addresses: set[str] = set()
    blocks = []
    for peer in peers:
        if "ipBlock" in peer:
            block = peer["ipBlock"]
            blocks.append(Block(cidr=block["cidr"], excepted=tuple(block.get("except") or ())))
        else:
            addresses |= {pod.address for pod in cluster.pods if _is_peer(pod, peer, namespace, cluster)}
    return Rule(addresses=frozenset(addresses), blocks=tuple(blocks), ports=ports)


def _is_peer(pod: _Pod, peer: Mapping[str, Any], namespace: str, cluster: _Cluster) -> bool:
    if peer.get("namespaceSelector") is None:
        if pod.namespace != namespace:
            return False
    elif not _selector(peer["namespaceSelector"]).matches(cluster.labels.get(pod.namespace, {})):
        return False
    return _selector(peer.get("podSelector") or {}).matches(pod.labels)


def _selector(selector: Mapping[str, Any]) -> Selector:
    return label_selector(selector)


def _ports(asked: Sequence[Mapping[str, Any]] | None, pod: _Pod | None) -> tuple[PortRange, ...] | None:
    """The ports that a rule names; None for all, an empty tuple for none that exist here."""
    if not asked:
        return None
    ranges = []
    for one in asked:
        protocol, port = one.get("protocol") or "TCP", one.get("port")
        if port is None:
            ranges.append(PortRange(protocol=protocol))
            continue
        number = port if isinstance(port, int) else pod.ports.get((port, protocol)) if pod else None
        if number is not None:
            ranges.append(PortRange(protocol=protocol, first=number, last=one.get("endPort") or number))
    return tuple(ranges)
