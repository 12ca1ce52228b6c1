"""Addresses of Services: cluster IPs and node ports, given out and kept apart."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from aegis.localcluster.apiserver.admission.request import Request
from aegis.localcluster.apiserver.refusals import Invalid, invalid_value
from aegis.localcluster.apiserver.store import Store

NETWORK: Final = ipaddress.IPv4Network("10.96.0.0/16")
"""Where cluster IPs come from; its first address is the API server's, its tenth the DNS server's."""
API_SERVER: Final = "10.96.0.1"
_RESERVED = frozenset({API_SERVER, "10.96.0.10"})
_FIRST_OFFSET = 20
_NODE_PORTS = range(30000, 32768)


class ServiceAddresses:
    """Gives each Service its addresses, as the allocator of the API server does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._next = _FIRST_OFFSET

    def mutate(self, request: Request) -> None:
        """Fill in cluster IP and node ports.

        Raises:
            Invalid: the address asked for is outside of the network, or taken.
        """
        if request.resource.full_name != "services" or request.subresource:
            return
        spec = request.new["spec"]
        if request.old is not None:
            _keep(spec, request.old["spec"])
        if spec.get("type") == "ExternalName":
            for name in ("clusterIP", "clusterIPs"):
                spec.pop(name, None)
            return
        self._address(request, spec)
        if spec.get("type") in {"NodePort", "LoadBalancer"}:
            self._node_ports(request, spec)

    def judge(self, request: Request) -> None:
        """Nothing to refuse any more."""

    def _address(self, request: Request, spec: dict[str, Any]) -> None:
        wanted = spec.get("clusterIP")
        if not wanted:
            spec["clusterIP"] = self._free()
        elif wanted != "None" and (request.old is None or request.old["spec"].get("clusterIP") != wanted):
            self._check(request, wanted)
        spec["clusterIPs"] = [spec["clusterIP"]]

    def _check(self, request: Request, wanted: str) -> None:
        try:
            fits = ipaddress.ip_address(wanted) in NETWORK
        except ValueError:
            fits = False
        own_name = request.name == "kubernetes" and request.namespace == "default"
        taken = wanted in self._taken() or (wanted in _RESERVED and not own_name)
        if fits and not taken:
            return
        why = "provided IP is already allocated" if fits else f"the provided IP ({wanted}) is not in the valid range"
        cause = invalid_value("spec.clusterIPs", [wanted], f"failed to allocate IP {wanted}: {why}")
        raise Invalid(request.resource, request.name, [cause])

    def _free(self) -> str:
        taken = self._taken() | _RESERVED
        for _ in range(NETWORK.num_addresses):
            candidate = str(NETWORK[self._next])
            self._next = self._next + 1 if self._next < NETWORK.num_addresses - 2 else _FIRST_OFFSET
            if candidate not in taken:
                return candidate
        raise RuntimeError("the service network is exhausted")

    def _taken(self) -> set[str]:
        return {str(s["spec"].get("clusterIP")) for s in self._store.objects("services")}

    def _node_ports(self, request: Request, spec: dict[str, Any]) -> None:
        own = (request.namespace, request.name)
        taken = {
            port["nodePort"]
            for service in self._store.objects("services")
            if (service["metadata"]["namespace"], service["metadata"]["name"]) != own
            for port in service["spec"].get("ports") or ()
            if port.get("nodePort")
        }
        for index, port in enumerate(spec.get("ports") or ()):
            if not port.get("nodePort"):
                port["nodePort"] = next(p for p in _NODE_PORTS if p not in taken)
            elif port["nodePort"] in taken or port["nodePort"] not in _NODE_PORTS:
                why = (
                    "provided port is already allocated"
                    if port["nodePort"] in taken
                    else "provided port is not in the valid range. The range of valid ports is 30000-32767"
                )
                cause = invalid_value(f"spec.ports[{index}].nodePort", port["nodePort"], why)
                raise Invalid(request.resource, request.name, [cause])
            taken.add(port["nodePort"])


def _keep(spec: dict[str, Any], old: Mapping[str, Any]) -> None:
    """An update that leaves the addresses out keeps them."""
    if old.get("type") != "ExternalName" and not spec.get("clusterIP"):
        spec["clusterIP"] = old.get("clusterIP")
    if spec.get("type") not in {"NodePort", "LoadBalancer"}:
        return
    before = {(p.get("name"), p.get("port"), p.get("protocol")): p.get("nodePort") for p in old.get("ports") or ()}
    for port in spec.get("ports") or ():
        known = before.get((port.get("name"), port.get("port"), port.get("protocol")))
        if known and not port.get("nodePort"):
            port["nodePort"] = known
