"""Which Services a workload speaks to, as its environment, arguments and output name them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from aegis.diagnosis.graph import Graph, Key, Node
from aegis.diagnosis.reading import at, items, mapping, text
from aegis.kube.pod_template import ContainerAt, containers, pod_spec_of

_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://(?:[^\s/@\"']*@)?([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::(\d{1,5}))?")
_HOST_PORT = re.compile(r"(?<![\w./@-])([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?):(\d{2,5})(?!\d)(?![.:]\d)")
_HOST_AND_PORT = re.compile(r"[\"']([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)[\"'],\s*(\d{2,5})\b")
"""As the socket libraries of many languages take an address: `("db", 5432)`."""
_CLUSTER_NAME = re.compile(r"(?<![\w.-])([a-z0-9-]+(?:\.[a-z0-9-]+)*?\.svc(?:\.cluster\.local)?)\b")
_BARE = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_HOST_VARIABLE = re.compile(r"(HOST|HOSTNAME|SERVER|ADDR|ADDRESS|ENDPOINT|SERVICE|UPSTREAM|BACKEND)$", re.IGNORECASE)
_LOCAL = frozenset({"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"})
_SVC_LABELS = 2
_LONGEST = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A host that a text names, and the port where it names one too."""

    host: str
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A Service that a workload names.

    Attributes:
        service: the Service, whether the evidence holds it or not.
        address: as it was spelled.
        path: where: `containers[web].env[DB_URL]`.
        via: the ConfigMap that gave the value; None where the spec itself holds it.
    """

    service: Key
    address: Address
    path: str
    via: Key | None = None


def addresses_in(value: str) -> tuple[Address, ...]:
    """The hosts that a text names as one does where a connection is meant: URLs, `host:port`, `name.ns.svc`."""
    value = value[:_LONGEST]
    found = [Address(host=m[1].lower(), port=_port(m[2])) for m in _URL.finditer(value)]
    found += [Address(host=m[1], port=_port(m[2])) for m in _HOST_PORT.finditer(value) if not m[1].isdigit()]
    found += [Address(host=m[1], port=_port(m[2])) for m in _HOST_AND_PORT.finditer(value) if not m[1].isdigit()]
    found += [Address(host=m[1]) for m in _CLUSTER_NAME.finditer(value)]
    hosts_with_port = {address.host for address in found if address.port}
    kept = [a for a in found if a.host not in _LOCAL and (a.port or a.host not in hosts_with_port)]
    return tuple(dict.fromkeys(kept))


def service_key(graph: Graph, host: str, namespace: str) -> Key | None:
    """The Service that a host name means to a pod of a namespace; None where it can be none.

    A name that no Service of the evidence bears counts only if it is spelled as a cluster name or as one bare word.
    """
    if host[:1].isdigit() or ":" in host:
        return next((service.key for service in graph.of_kind("Service") if host in _addresses_of(service)), None)
    labels = host.removesuffix(".cluster.local").removesuffix(".svc").split(".")
    if len(labels) == 1 and _BARE.fullmatch(labels[0]):
        return ("Service", namespace, labels[0])
    if len(labels) == _SVC_LABELS and (".svc" in host or graph.get("Service", labels[1], labels[0])):
        return ("Service", labels[1], labels[0])
    return None


def calls_of(graph: Graph, workload: Node) -> tuple[Call, ...]:
    """The Services that the environment and the command lines of a workload name, the surest first."""
    spec = pod_spec_of(workload.obj)
    if spec is None:
        return ()
    namespace = workload.ref.namespace
    told = (told for container in containers(spec) for told in _texts(graph, namespace, container))
    found = [
        Call(service=key, address=address, path=path, via=via)
        for path, name, value, via in told
        for address in _addresses(name, value)
        if (key := service_key(graph, address.host, namespace))
    ]
    found.sort(key=lambda call: graph.get(*call.service) is None)
    return tuple(dict.fromkeys(found))


def _addresses_of(service: Node) -> set[str]:
    return {text(service.spec.get("clusterIP")), *map(str, service.spec.get("clusterIPs") or ())}


def _texts(graph: Graph, namespace: str, container: ContainerAt) -> Iterator[tuple[str, str, str, Key | None]]:
    """(where, variable, value, the ConfigMap it came from) of everything a container is told."""
    for variable in items(container.spec.get("env")):
        name = text(variable.get("name"))
        path = f"{container.path}.env[{name}]"
        if value := text(variable.get("value")):
            yield path, name, value, None
        reference = mapping(at(variable, "valueFrom", "configMapKeyRef"))
        if source := graph.get("ConfigMap", namespace, text(reference.get("name"))):
            yield path, name, text(at(source.obj, "data", text(reference.get("key")))), source.key
    for index, entry in enumerate(items(container.spec.get("envFrom"))):
        source = graph.get("ConfigMap", namespace, text(at(entry, "configMapRef", "name")))
        for name, value in mapping(source.obj.get("data")).items() if source else ():
            yield f"{container.path}.envFrom[{index}]", name, text(value), source.key if source else None
    for field in ("command", "args"):
        for value in container.spec.get(field) or ():
            yield f"{container.path}.{field}", "", text(value), None


def _addresses(variable: str, value: str) -> tuple[Address, ...]:
    found = addresses_in(value)
    bare = value.strip()
    named_host = _HOST_VARIABLE.search(variable) and re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", bare)
    if not found and named_host and not bare.isdigit() and bare not in _LOCAL:
        return (Address(host=bare),)
    return found


def _port(value: str | None) -> int | None:
    return int(value) if value else None
