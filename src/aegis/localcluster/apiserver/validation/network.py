"""Services, NetworkPolicies and Ingresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.localcluster.apiserver.objects import label_faults
from aegis.localcluster.apiserver.refusals import forbidden_field, invalid_value, required
from aegis.localcluster.apiserver.validation import values
from aegis.localcluster.status import Cause

Object = Mapping[str, Any]

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")


def service(obj: Object) -> list[Cause]:
    """A Service."""
    spec = obj.get("spec") or {}
    kind = spec.get("type")
    faults = values.one_of(kind, "spec.type", _TYPES)
    faults += values.one_of(spec.get("sessionAffinity"), "spec.sessionAffinity", ("ClientIP", "None"))
    faults += label_faults(spec.get("selector"), "spec.selector")
    if kind == "ExternalName":
        return faults + values.present(spec.get("externalName"), "spec.externalName")
    ports = spec.get("ports") or []
    if not ports and spec.get("clusterIP") != "None":
        faults.append(required("spec.ports"))
    return faults + _service_ports(ports)


def _service_ports(ports: list[Any]) -> list[Cause]:
    faults: list[Cause] = []
    names: set[str] = set()
    pairs: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        here, name = f"spec.ports[{index}]", port.get("name")
        if len(ports) > 1 and not name:
            faults.append(required(f"{here}.name"))
        if name and name in names:
            faults.append(_duplicate(f"{here}.name", name))
        names.add(str(name))
        faults += values.port_number(port.get("port", 0), f"{here}.port")
        faults += values.one_of(port.get("protocol"), f"{here}.protocol", _PROTOCOLS)
        if port.get("targetPort") is not None:
            faults += values.port(port["targetPort"], f"{here}.targetPort")
        pair = (port.get("port"), port.get("protocol"))
        if pair in pairs:
            faults.append(_duplicate(here, f"{pair[1]}/{pair[0]}"))
        pairs.add(pair)
    return faults


def network_policy(obj: Object) -> list[Cause]:
    """A NetworkPolicy."""
    spec = obj.get("spec") or {}
    faults = values.selector(spec.get("podSelector"), "spec.podSelector")
    for index, kind in enumerate(spec.get("policyTypes") or ()):
        faults += values.one_of(kind, f"spec.policyTypes[{index}]", ("Egress", "Ingress"))
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            here = f"spec.{direction}[{index}]"
            for at, port in enumerate(rule.get("ports") or ()):
                faults += _policy_port(port, f"{here}.ports[{at}]")
            for at, peer in enumerate(rule.get(peers) or ()):
                faults += _peer(peer, f"{here}.{peers}[{at}]")
    return faults


def _policy_port(port: Object, here: str) -> list[Cause]:
    faults = values.one_of(port.get("protocol"), f"{here}.protocol", _PROTOCOLS)
    number, end = port.get("port"), port.get("endPort")
    if number is not None:
        faults += values.port(number, f"{here}.port")
    if end is not None:
        if not isinstance(number, int):
            faults.append(forbidden_field(f"{here}.endPort", "may not be specified when `port` is not a number"))
        elif not number <= end <= 65535:  # noqa: PLR2004 - ports
            faults.append(invalid_value(f"{here}.endPort", end, "must be greater than or equal to `port`"))
    return faults


def _peer(peer: Object, here: str) -> list[Cause]:
    block = peer.get("ipBlock")
    selectors = [s for s in ("podSelector", "namespaceSelector") if peer.get(s) is not None]
    if block is None and not selectors:
        return [required(here, "must specify a peer")]
    faults: list[Cause] = []
    if block is not None:
        if selectors:
            faults.append(forbidden_field(here, "may not specify both ipBlock and another peer"))
        faults += values.cidr(block.get("cidr"), f"{here}.ipBlock.cidr")
        for index, excepted in enumerate(block.get("except") or ()):
            faults += values.cidr(excepted, f"{here}.ipBlock.except[{index}]")
    for name in selectors:
        faults += values.selector(peer[name], f"{here}.{name}")
    return faults


def ingress(obj: Object) -> list[Cause]:
    """An Ingress."""
    spec = obj.get("spec") or {}
    faults: list[Cause] = []
    if not spec.get("rules") and not spec.get("defaultBackend"):
        faults.append(invalid_value("spec", "", "either `defaultBackend` or `rules` must be specified"))
    for index, rule in enumerate(spec.get("rules") or ()):
        for at, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            here = f"spec.rules[{index}].http.paths[{at}]"
            faults += values.present(path.get("pathType"), f"{here}.pathType", "pathType must be specified")
            kinds = ("Exact", "ImplementationSpecific", "Prefix")
            faults += values.one_of(path.get("pathType"), f"{here}.pathType", kinds)
            if not path.get("backend"):
                faults.append(required(f"{here}.backend"))
    return faults


def _duplicate(field: str, value: str) -> Cause:
    return Cause(reason="FieldValueDuplicate", field=field, message=f'Duplicate value: "{value}"')
