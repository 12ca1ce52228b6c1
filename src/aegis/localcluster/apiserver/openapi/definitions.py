"""The definitions of all types, as OpenAPI v2 has them: fields, descriptions, and how lists merge.

Built-in kinds come from their models and from the tables of `aegis.kube.merge_schema`, custom ones from their schemas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from aegis.kube.merge_schema import ListRule, is_atomic_map, list_rule, retains_keys
from aegis.localcluster.apiserver.registry import BUILTIN, Resource
from aegis.localcluster.apiserver.types import Type, TypeName, descriptions_of, fields_of, root_of

Definition = dict[str, Any]
REFERENCE = "#/definitions/"

_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_METADATA = TypeName("meta_v1", "ObjectMeta")
_SCALARS: dict[str, Definition] = {
    "string": {"type": "string"},
    "integer": {"type": "integer", "format": "int32"},
    "number": {"type": "number", "format": "double"},
    "boolean": {"type": "boolean"},
    "any": {},
    "int-or-string": {"$ref": REFERENCE + _INT_OR_STRING},
    "quantity": {"$ref": REFERENCE + _QUANTITY},
}
_PACKAGES = {"meta_v1": "io.k8s.apimachinery.pkg.apis.meta.v1"}
_EXTENSIONS = "apiextensions"


def definition_name(name: TypeName) -> str:
    """`io.k8s.api.apps.v1.Deployment`, as Kubernetes calls a type."""
    if name.module in _PACKAGES:
        return f"{_PACKAGES[name.module]}.{name.name}"
    group, _, version = name.module.rpartition("_")
    if group == _EXTENSIONS:
        return f"io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.{version}.{name.name}"
    return f"io.k8s.api.{group}.{version}.{name.name}"


def custom_name(resource: Resource) -> str:
    """`dev.acme.v1.Widget`, as Kubernetes calls the type of a custom resource."""
    return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])


def kind_of(resource: Resource) -> dict[str, str]:
    """The extension value that ties a definition or an operation to a kind."""
    return {"group": resource.group, "kind": resource.kind, "version": resource.version}


@cache
def builtin_definitions() -> dict[str, Definition]:
    """The definitions of every built-in type."""
    definitions: dict[str, Definition] = {
        _INT_OR_STRING: {"type": "string", "format": "int-or-string"},
        _QUANTITY: {"type": "string", "description": "Quantity is a fixed-point number, as 100m or 1Gi."},
    }
    for resource in BUILTIN:
        _define(definitions, root_of(resource), resource.kind, ())
        name = definition_name(root_of(resource))
        if name in definitions:
            definitions[name]["x-kubernetes-group-version-kind"] = [kind_of(resource)]
    return definitions


def custom_definition(resource: Resource) -> Definition:
    """The definition of a custom resource's objects."""
    schema: Mapping[str, Any] = resource.custom.schema if resource.custom else {}
    definition = _plain(schema)
    definition["type"] = "object"
    definition["properties"] = {
        "apiVersion": {"type": "string", "description": "the versioned schema of this object"},
        "kind": {"type": "string", "description": "the REST resource this object represents"},
        **definition.get("properties", {}),
        "metadata": {"$ref": REFERENCE + definition_name(_METADATA), "description": "Standard object's metadata."},
    }
    definition["x-kubernetes-group-version-kind"] = [kind_of(resource)]
    return definition


def references(definition: object) -> Iterator[str]:
    """The names of the definitions that one refers to."""
    if isinstance(definition, Mapping):
        for key, value in definition.items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix(REFERENCE)
            else:
                yield from references(value)
    elif isinstance(definition, list):
        for item in definition:
            yield from references(item)


def _define(definitions: dict[str, Definition], name: TypeName, kind: str, path: tuple[str, ...]) -> None:
    """Add a model and all that it refers to; `path` is where in `kind` it was met first."""
    fields = fields_of(name)
    title = definition_name(name)
    if title in definitions or not fields:
        return
    described, explained = descriptions_of(name)
    definition: Definition = {"description": described, "type": "object"}
    definitions[title] = definition
    properties: dict[str, Definition] = {}
    for field, known in fields.items():
        here = (*path, field)
        properties[field] = {
            **({"description": explained[field]} if explained.get(field) else {}),
            **_schema(known.type),
            **_merging(kind, here, known.type),
        }
        for struct in _structs(known.type):
            _define(definitions, struct, kind, here)
    definition["properties"] = properties
    if needed := sorted(f for f, known in fields.items() if known.required):
        definition["required"] = needed


def _schema(kind: Type) -> Definition:
    item = _schema(kind.item) if kind.item is not None else {}
    match kind.shape:
        case "struct" if kind.struct is not None and fields_of(kind.struct):
            return {"$ref": REFERENCE + definition_name(kind.struct)}
        case "list":
            return {"type": "array", "items": item}
        case "map":
            return {"type": "object", "additionalProperties": item}
        case shape:
            return dict(_SCALARS.get(shape, _SCALARS["any"]))


def _structs(kind: Type) -> Iterator[TypeName]:
    if kind.struct is not None:
        yield kind.struct
    if kind.item is not None:
        yield from _structs(kind.item)


def _merging(kind: str, path: tuple[str, ...], shape: Type) -> Definition:
    """The extensions that say how a field merges."""
    if shape.shape != "list":
        strategy = {"x-kubernetes-patch-strategy": "retainKeys"} if retains_keys(kind, path) else {}
        atomic = shape.shape in {"map", "struct"} and is_atomic_map(kind, path)
        return {**strategy, **({"x-kubernetes-map-type": "atomic"} if atomic else {})}
    rule = list_rule(kind, path)
    return {"x-kubernetes-list-type": "atomic"} if rule is None else _list_extensions(rule)


def _list_extensions(rule: ListRule) -> Definition:
    extensions: Definition = {"x-kubernetes-list-type": "map" if rule.keys else "set" if rule.unique else "atomic"}
    if rule.keys:
        extensions["x-kubernetes-list-map-keys"] = list(rule.keys)
    if rule.merges:
        extensions["x-kubernetes-patch-strategy"] = "merge,retainKeys" if rule.retain_keys else "merge"
    if rule.merges and rule.merge_key:
        extensions["x-kubernetes-patch-merge-key"] = rule.merge_key
    return extensions


_KEPT = frozenset({
    "description", "type", "format", "required", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength",
    "minItems", "maxItems", "default", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string", "x-kubernetes-embedded-resource",
})  # fmt: skip


def _plain(schema: Mapping[str, Any]) -> Definition:
    """A structural schema without what OpenAPI v2 cannot say."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"$ref": REFERENCE + _INT_OR_STRING}
    plain: Definition = {k: v for k, v in schema.items() if k in _KEPT}
    if isinstance(schema.get("properties"), Mapping):
        plain["properties"] = {k: _plain(v) for k, v in schema["properties"].items()}
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), Mapping):
            plain[name] = _plain(schema[name])
    return plain
