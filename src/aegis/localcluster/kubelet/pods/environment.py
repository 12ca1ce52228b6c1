"""A container's command and environment, as its pod, the cluster's objects and the image give them. Pure.

Source: the Kubernetes API reference (core/v1 EnvVar, EnvFromSource) and the kubelet's own words for what is missing.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from aegis.kube.quantity import QuantityError, parse_quantity
from aegis.localcluster.api import Object
from aegis.localcluster.kubelet.images.registry import Entry

Lookup = Callable[[str, str], Object | None]
"""An object of the pod's namespace by resource (`configmaps`, `secrets`) and name."""

_REFERENCE = re.compile(r"\$(?:(\$)|\(([^()]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
_KINDS = {"configMapRef": "configmaps", "secretRef": "secrets"}
_ONE = {"configmaps": "configmap", "secrets": "secret"}


class ConfigError(Exception):
    """A container that cannot be made as its pod asks; the message is the kubelet's."""


def command(container: Mapping[str, Any], image: Entry, env: Mapping[str, str]) -> tuple[str, ...]:
    """The program and its arguments."""
    given, args = container.get("command"), container.get("args")
    head = [expand(word, env) for word in given] if given else list(image.entrypoint)
    rest = [] if given else list(image.cmd)
    return (*head, *([expand(word, env) for word in args] if args else rest))


def environment(
    pod: Object, container: Mapping[str, Any], base: Mapping[str, str], *, image: Entry, lookup: Lookup
) -> dict[str, str]:
    """A container's environment.

    Args:
        pod: with its addresses in the status, for the downward API.
        container: of the pod's spec.
        base: what the kubelet sets; the image's variables win over it, and the pod's own over both.
        image: the container's.
        lookup: where ConfigMaps and Secrets are found.

    Raises:
        ConfigError: something that the pod names and does not call optional is not there.
    """
    own = {**base, **image.env}
    for source in container.get("envFrom") or ():
        own.update(_all_of(source, lookup))
    for variable in container.get("env") or ():
        source = variable.get("valueFrom")
        value = _value_from(source, pod, container, lookup) if source else expand(variable.get("value") or "", own)
        if value is not None:
            own[variable["name"]] = value
    return own


def expand(text: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` replaced where NAME is known; `$$(NAME)` stands for `$(NAME)`."""

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        return env.get(match[2], match[0])

    return _REFERENCE.sub(replace, text)


def service_environment(services: Iterable[Object], namespace: str, *, links: bool) -> dict[str, str]:
    """The variables that name Services: those of the pod's namespace, and the API server's always."""
    env: dict[str, str] = {}
    for service in services:
        metadata, spec = service["metadata"], service["spec"]
        own = metadata["namespace"] == namespace and links
        kubernetes = metadata["namespace"] == "default" and metadata["name"] == "kubernetes"
        if (own or kubernetes) and spec.get("clusterIP") not in {None, "", "None"} and spec.get("ports"):
            env.update(_service(metadata["name"], spec["clusterIP"], spec["ports"]))
    return env


def _service(name: str, address: str, ports: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    prefix = re.sub(r"[-.]", "_", name).upper()
    first = ports[0]
    env = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(first["port"])}
    for port in ports:
        if port.get("name"):
            env[f"{prefix}_SERVICE_PORT_{re.sub(r'[-.]', '_', port['name']).upper()}"] = str(port["port"])
    env[f"{prefix}_PORT"] = f"{first.get('protocol', 'TCP').lower()}://{address}:{first['port']}"
    for port in ports:
        protocol = port.get("protocol", "TCP")
        one = f"{prefix}_PORT_{port['port']}_{protocol}"
        env[one] = f"{protocol.lower()}://{address}:{port['port']}"
        env |= {f"{one}_PROTO": protocol.lower(), f"{one}_PORT": str(port["port"]), f"{one}_ADDR": address}
    return env


def text_of(obj: Object, key: str) -> str | None:
    """A key of a ConfigMap or Secret as text."""
    data = bytes_of(obj, key)
    return None if data is None else data.decode("utf-8", "replace")


def bytes_of(obj: Object, key: str) -> bytes | None:
    """A key of a ConfigMap or Secret as bytes."""
    value = (obj.get("data") or {}).get(key)
    if value is not None:
        return base64.b64decode(value) if obj["kind"] == "Secret" else str(value).encode()
    binary = (obj.get("binaryData") or {}).get(key)
    return None if binary is None else base64.b64decode(binary)


def keys_of(obj: Object) -> list[str]:
    """Every key of a ConfigMap or Secret."""
    return sorted({*(obj.get("data") or {}), *(obj.get("binaryData") or {})})


def _all_of(source: Mapping[str, Any], lookup: Lookup) -> dict[str, str]:
    field = next((field for field in _KINDS if source.get(field)), None)
    if field is None:
        return {}
    resource, reference = _KINDS[field], source[field]
    obj = lookup(resource, reference["name"])
    if obj is not None:
        prefix = source.get("prefix") or ""
        return {f"{prefix}{key}": text_of(obj, key) or "" for key in keys_of(obj)}
    if reference.get("optional"):
        return {}
    raise ConfigError(f'{_ONE[resource]} "{reference["name"]}" not found')


def _value_from(source: Mapping[str, Any], pod: Object, container: Mapping[str, Any], lookup: Lookup) -> str | None:
    if field := source.get("fieldRef"):
        return pod_field(pod, field["fieldPath"])
    if resource := source.get("resourceFieldRef"):
        return container_resource(pod, container, resource)
    if reference := source.get("configMapKeyRef"):
        return _key(reference, "ConfigMap", pod, lookup)
    if reference := source.get("secretKeyRef"):
        return _key(reference, "Secret", pod, lookup)
    raise ConfigError("unsupported source of an environment variable")


def _key(reference: Mapping[str, Any], kind: str, pod: Object, lookup: Lookup) -> str | None:
    resource = kind.lower() + "s"
    obj = lookup(resource, reference["name"])
    value = None if obj is None else text_of(obj, reference["key"])
    if value is not None or reference.get("optional"):
        return value
    if obj is None:
        raise ConfigError(f'{_ONE[resource]} "{reference["name"]}" not found')
    where = f"{pod['metadata']['namespace']}/{reference['name']}"
    raise ConfigError(f"couldn't find key {reference['key']} in {kind} {where}")


def pod_field(pod: Object, path: str) -> str:
    """A field of a pod for the downward API.

    Raises:
        ConfigError: the downward API does not know this path.
    """
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript:
        return str((metadata.get(subscript[1]) or {}).get(subscript[2], ""))
    if path in {"metadata.labels", "metadata.annotations"}:
        entries = sorted((metadata.get(path.split(".")[1]) or {}).items())
        return "\n".join(f'{key}="{_escaped(value)}"' for key, value in entries)
    known = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.hostIP": status.get("hostIP", ""),
        "status.podIP": status.get("podIP", ""),
        "status.hostIPs": status.get("hostIP", ""),
        "status.podIPs": status.get("podIP", ""),
    }
    if path not in known:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return str(known[path])


def container_resource(pod: Object, container: Mapping[str, Any], reference: Mapping[str, Any]) -> str:
    """A request or limit of a container for the downward API, as a whole number of the divisor.

    Raises:
        ConfigError: no such container, or a quantity that is none.
    """
    name = reference.get("containerName")
    if name:
        found = [one for one in pod["spec"]["containers"] if one["name"] == name]
        if not found:
            raise ConfigError(f"container {name} not found")
        container = found[0]
    side, _, resource = reference["resource"].partition(".")
    resources = container.get("resources") or {}
    quantity = (resources.get(side) or {}).get(resource)
    if quantity is None:
        # A limit that is not set is the node's; pods here see this machine's share only through their node.
        quantity = (resources.get("limits") or {}).get(resource, "0") if side == "requests" else "0"
    divisor = reference.get("divisor") or "1"
    try:
        parts = parse_quantity(quantity) / (parse_quantity(divisor) or Decimal(1))
    except QuantityError as error:
        raise ConfigError(str(error)) from error
    return str(math.ceil(parts))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
