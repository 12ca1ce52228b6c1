"""What a pod's volumes hold, worked out from the objects that they show. Pure.

Source: the Kubernetes API reference (core/v1 Volume) and the kubelet's own words for what is missing.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis.kube.quantity import QuantityError, parse_quantity
from aegis.localcluster.api import Object
from aegis.localcluster.kubelet.pods.environment import (
    ConfigError,
    Lookup,
    bytes_of,
    container_resource,
    keys_of,
    pod_field,
)

TokenMaker = Callable[[Object, str, int], str | None]
"""A token of a pod's service account for an audience and a number of seconds; None where there are none."""

_MODE = 0o644
_SHOWN = ("configMap", "secret", "downwardAPI", "projected")
_RESOURCES = {"configMap": ("configmaps", "configmap", "config"), "secret": ("secrets", "secret", "secret")}


class VolumeError(Exception):
    """A volume that cannot be set up; the message is the kubelet's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a volume."""

    data: bytes
    mode: int = _MODE

    def to_message(self) -> dict[str, Any]:
        """A JSON-compatible form."""
        return {"data": base64.b64encode(self.data).decode(), "mode": self.mode}


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """An empty volume to be written to."""

    size: int | None = None
    in_memory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What outlives pods: a PersistentVolume, by name."""

    volume: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    lookup: Lookup
    token: TokenMaker


Content = dict[str, File] | Empty | Kept


def content(volume: Mapping[str, Any], pod: Object, lookup: Lookup, token: TokenMaker) -> Content:
    """What a volume holds now.

    Raises:
        VolumeError: it names what is not there, or is of a kind that the local cluster has not.
    """
    try:
        for kind in _SHOWN:
            if kind in volume:
                return _shown(kind, volume[kind], pod, _Given(lookup=lookup, token=token))
        if "emptyDir" in volume:
            size = volume["emptyDir"].get("sizeLimit")
            return Empty(
                size=int(parse_quantity(size)) if size else None,
                in_memory=volume["emptyDir"].get("medium") == "Memory",
            )
    except (ConfigError, QuantityError) as error:
        raise VolumeError(str(error)) from error
    if "persistentVolumeClaim" in volume:
        return _claimed(volume["persistentVolumeClaim"]["claimName"], lookup)
    if "hostPath" in volume or "ephemeral" in volume:
        # The machine's own files are never shown: such a volume begins empty and ends with its pod.
        return Empty()
    kind = next((key for key in volume if key != "name"), "unknown")
    raise VolumeError(f"volume plugin for {kind} is not part of the local cluster")


def names(volume: Mapping[str, Any]) -> set[tuple[str, str]]:
    """The ConfigMaps and Secrets that a volume shows, as resource and name."""
    sources = (volume.get("projected") or {}).get("sources") or (volume,)
    found = set()
    for source in sources:
        if source.get("configMap"):
            found.add(("configmaps", source["configMap"].get("name", "")))
        if source.get("secret"):
            found.add(("secrets", source["secret"].get("secretName") or source["secret"].get("name", "")))
    return found


def _claimed(name: str, lookup: Lookup) -> Kept:
    claim = lookup("persistentvolumeclaims", name)
    if claim is None:
        raise VolumeError(f'persistentvolumeclaim "{name}" not found')
    if (claim.get("status") or {}).get("phase") != "Bound":
        raise VolumeError("PVC is not bound")
    return Kept(volume=claim["spec"]["volumeName"])


def _shown(kind: str, source: Mapping[str, Any], pod: Object, given: _Given) -> dict[str, File]:
    mode = source.get("defaultMode", _MODE)
    if kind == "projected":
        files: dict[str, File] = {}
        for part in source.get("sources") or ():
            files.update(_part(part, pod, given, mode=mode))
        return files
    return _part({kind: source}, pod, given, mode=mode)


def _part(part: Mapping[str, Any], pod: Object, given: _Given, *, mode: int) -> dict[str, File]:
    for kind in ("configMap", "secret"):
        if kind in part:
            return _keys(kind, part[kind], given.lookup, mode=mode)
    if "downwardAPI" in part:
        return _downward(part["downwardAPI"].get("items") or (), pod, mode)
    asked = part.get("serviceAccountToken")
    if asked:
        made = given.token(pod, asked.get("audience") or "", int(asked.get("expirationSeconds") or 3600))
        return {} if made is None else {asked["path"]: File(data=made.encode(), mode=mode)}
    return {}


def _keys(kind: str, source: Mapping[str, Any], lookup: Lookup, *, mode: int) -> dict[str, File]:
    resource, word, key_word = _RESOURCES[kind]
    name = source.get("secretName") or source.get("name", "")
    obj, optional = lookup(resource, name), bool(source.get("optional"))
    if obj is None:
        if optional:
            return {}
        raise VolumeError(f'{word} "{name}" not found')
    items = source.get("items")
    if not items:
        return {key: File(data=bytes_of(obj, key) or b"", mode=mode) for key in keys_of(obj)}
    files = {}
    for item in items:
        data = bytes_of(obj, item["key"])
        if data is None and not optional:
            raise VolumeError(f"references non-existent {key_word} key: {item['key']}")
        if data is not None:
            files[item["path"]] = File(data=data, mode=item.get("mode", mode))
    return files


def _downward(items: Sequence[Mapping[str, Any]], pod: Object, mode: int) -> dict[str, File]:
    files = {}
    for item in items:
        if "fieldRef" in item:
            text = pod_field(pod, item["fieldRef"]["fieldPath"])
        else:
            text = container_resource(pod, {}, item["resourceFieldRef"])
        files[item["path"]] = File(data=text.encode(), mode=item.get("mode", mode))
    return files
