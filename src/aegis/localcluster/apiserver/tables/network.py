"""The columns of Services, endpoints, policies and ingresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aegis.kube.selector import SelectorError, label_selector
from aegis.localcluster.apiserver.tables.columns import AGE, NAME, NONE, Column, labels_text

Json = Mapping[str, Any]

_SHOWN = 3


def _external(service: Json) -> str:
    spec = service["spec"]
    given = list(spec.get("externalIPs") or ())
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName") or NONE)
    if spec.get("type") == "LoadBalancer":
        ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        found = [i.get("ip") or i.get("hostname") or "" for i in ingress] + given
        return ",".join(found) or "<pending>"
    return ",".join(given) or NONE


def _ports(service: Json) -> str:
    shown = []
    for port in service["spec"].get("ports") or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port['port']}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(shown) or NONE


SERVICES = (
    NAME,
    Column("Type", lambda o: o["spec"].get("type", "ClusterIP")),
    Column("Cluster-IP", lambda o: o["spec"].get("clusterIP") or NONE),
    Column("External-IP", _external),
    Column("Port(s)", _ports),
    AGE,
    Column("Selector", lambda o: labels_text(o["spec"].get("selector")), priority=1),
)


def _endpoints(obj: Json) -> str:
    shown = []
    for subset in obj.get("subsets") or ():
        addresses = [a["ip"] for a in subset.get("addresses") or ()]
        ports = subset.get("ports")
        if ports:
            shown += [f"{address}:{port['port']}" for port in ports for address in addresses]
        else:
            shown += addresses
    return _some(shown)


def _slice_ports(obj: Json) -> str:
    ports = obj.get("ports")
    if ports is None:
        return "<unset>"
    return _some([str(p.get("port") or "*") for p in ports])


def _slice_addresses(obj: Json) -> str:
    endpoints: Iterable[Json] = obj.get("endpoints") or ()
    found = [a for e in endpoints for a in e.get("addresses") or ()]
    return _some(found) if found else "<unset>"


def _some(found: list[str]) -> str:
    if not found:
        return NONE
    more = f" + {len(found) - _SHOWN} more..." if len(found) > _SHOWN else ""
    return ",".join(found[:_SHOWN]) + more


ENDPOINTS = (NAME, Column("Endpoints", _endpoints), AGE)
SLICES = (
    NAME,
    Column("AddressType", lambda o: o.get("addressType")),
    Column("Ports", _slice_ports),
    Column("Endpoints", _slice_addresses),
    AGE,
)


def _pod_selector(obj: Json) -> str:
    try:
        return str(label_selector(obj["spec"].get("podSelector") or {})) or NONE
    except SelectorError:
        return "<error>"


POLICIES = (NAME, Column("Pod-Selector", _pod_selector), AGE)


def _hosts(obj: Json) -> str:
    return _some([r["host"] for r in obj["spec"].get("rules") or () if r.get("host")]).replace(NONE, "*")


def _addresses(obj: Json) -> str:
    ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(i.get("ip") or i.get("hostname") or "" for i in ingress)


INGRESSES = (
    NAME,
    Column("Class", lambda o: o["spec"].get("ingressClassName") or NONE),
    Column("Hosts", _hosts),
    Column("Address", _addresses),
    Column("Ports", lambda o: "80, 443" if o["spec"].get("tls") else "80"),
    AGE,
)


def _parameters(obj: Json) -> str:
    found = obj["spec"].get("parameters")
    if not found:
        return NONE
    group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
    return f"{found.get('kind')}{group}/{found.get('name')}"


INGRESS_CLASSES = (
    NAME,
    Column("Controller", lambda o: o["spec"].get("controller")),
    Column("Parameters", _parameters),
    AGE,
)
