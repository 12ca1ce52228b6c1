"""The documents themselves: version 2 whole (as JSON or protobuf), version 3 by group and version."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from aegis.localcluster.apiserver.openapi.definitions import (
    REFERENCE,
    Definition,
    builtin_definitions,
    custom_definition,
    custom_name,
    definition_name,
    kind_of,
    references,
)
from aegis.localcluster.apiserver.openapi.encoding import encode_v2
from aegis.localcluster.apiserver.registry import Registry, Resource
from aegis.localcluster.apiserver.store import encode
from aegis.localcluster.apiserver.types import root_of
from aegis.localcluster.apiserver.version import VERSION

_COMPONENT = "#/components/schemas/"
_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation", "force", "pretty")
_INFO = {"title": "Kubernetes", "version": VERSION}


class Documents:
    """Makes each document once, until a definition changes what is served."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._made: dict[str, bytes] = {}
        self._of = -1

    def v2(self, *, protobuf: bool) -> bytes:
        """`/openapi/v2`."""
        if protobuf:
            return self._cached("v2.pb", lambda: encode_v2(self._whole()))
        return self._cached("v2", lambda: encode(self._whole()))

    def v3_index(self) -> bytes:
        """`/openapi/v3`: where the document of each group and version is."""
        return self._cached("v3", lambda: encode(self._index()))

    def v3(self, path: str) -> bytes | None:
        """`/openapi/v3/apis/GROUP/VERSION`, or None."""
        chosen = [r for r in self._registry if _prefix(r) == path]
        return self._cached(path, lambda: encode(_of_group(chosen))) if chosen else None

    def _cached(self, name: str, make: Any) -> bytes:
        if self._of != self._registry.generation:
            self._made.clear()
            self._of = self._registry.generation
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def _whole(self) -> dict[str, Any]:
        custom = {custom_name(r): custom_definition(r) for r in self._registry if r.custom}
        return {
            "swagger": "2.0",
            "info": _INFO,
            "paths": {path: {"patch": _operation(r, v3=False)} for r in self._registry for path in [_path(r)]},
            "definitions": {**builtin_definitions(), **custom},
        }

    def _index(self) -> dict[str, Any]:
        prefixes = sorted({_prefix(r) for r in self._registry})
        served = encode([[r.full_name, r.version, r.custom.schema if r.custom else None] for r in self._registry])
        digest = hashlib.sha256(served).hexdigest().upper()
        return {"paths": {p: {"serverRelativeURL": f"/openapi/v3/{p}?hash={digest}"} for p in prefixes}}


def _prefix(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def _path(resource: Resource) -> str:
    namespace = "namespaces/{namespace}/" if resource.namespaced else ""
    return f"/{_prefix(resource)}/{namespace}{resource.plural}/{{name}}"


def _operation(resource: Resource, *, v3: bool) -> dict[str, Any]:
    kind = {"schema": {"type": "string"}} if v3 else {"type": "string"}
    return {
        "operationId": f"patch{resource.kind}{resource.version}",
        "parameters": [{"name": n, "in": "query", **kind} for n in _PARAMETERS],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": kind_of(resource),
    }


def _of_group(resources: list[Resource]) -> dict[str, Any]:
    schemas: dict[str, Definition] = {}
    builtin = builtin_definitions()
    pending: list[str] = []
    for resource in resources:
        if resource.custom:
            schemas[custom_name(resource)] = definition = custom_definition(resource)
            pending += references(definition)
        else:
            pending.append(definition_name(root_of(resource)))
    while pending:
        name = pending.pop()
        if name in builtin and name not in schemas:
            schemas[name] = builtin[name]
            pending += references(builtin[name])
    return {
        "openapi": "3.0.0",
        "info": _INFO,
        "paths": {_path(r): {"patch": _operation(r, v3=True)} for r in resources},
        "components": {"schemas": {name: _as_v3(definition) for name, definition in schemas.items()}},
    }


def _as_v3(schema: Any) -> Any:
    """A definition of version 2 as version 3 writes it."""
    if isinstance(schema, list):
        return [_as_v3(s) for s in schema]
    if not isinstance(schema, Mapping):
        return schema
    if isinstance(schema.get("$ref"), str):
        reference = {"$ref": _COMPONENT + schema["$ref"].removeprefix(REFERENCE)}
        rest = {k: v for k, v in schema.items() if k != "$ref"}
        return {**rest, "allOf": [reference]} if rest else reference
    if schema.get("format") == "int-or-string":
        return {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}
    return {k: _as_v3(v) for k, v in schema.items()}
