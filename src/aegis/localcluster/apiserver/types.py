"""The types of built-in kinds: their fields, as the models of `lightkube-models` declare them.

The models are generated from Kubernetes' own OpenAPI document. They are loaded where a kind is first met.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from aegis.localcluster.apiserver.registry import Resource

Shape = Literal["string", "integer", "number", "boolean", "map", "list", "struct", "int-or-string", "quantity", "any"]

_SCALARS: dict[str, Shape] = {
    "str": "string", "Time": "string", "MicroTime": "string", "int": "integer", "float": "number", "bool": "boolean", "datetime": "string",
    "IntOrString": "int-or-string", "Quantity": "quantity",
    "RawExtension": "any", "FieldsV1": "any", "JSON": "any",
    "JSONSchemaPropsOrBool": "any", "JSONSchemaPropsOrArray": "any", "JSONSchemaPropsOrStringArray": "any",
    "CustomResourceSubresourceStatus": "any",
}  # fmt: skip
_STRING_MAPS = frozenset({
    "labels", "annotations", "matchLabels", "nodeSelector", "data", "binaryData", "stringData", "selector",
    "parameters", "volumeAttributes", "options", "deprecatedTopology",
})  # fmt: skip
_QUANTITY_MAPS = frozenset({
    "limits", "requests", "capacity", "allocatable", "hard", "used", "overhead", "podFixed", "default",
    "defaultRequest", "max", "min", "maxLimitRequestRatio", "allocatedResources",
})  # fmt: skip
_SCHEMA_MAPS = frozenset({"properties", "definitions", "patternProperties"})
_PARAMETER = re.compile(r"(\w+)\*\* ``[^`]*`` - ?(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TypeName:
    """A model's name: its module within lightkube.models, and its class."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a value: its shape; what a list or map holds; which model a struct is."""

    shape: Shape
    item: Type | None = None
    struct: TypeName | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a model."""

    type: Type
    required: bool


def root_of(resource: Resource) -> TypeName:
    """The model of a resource's objects."""
    group = resource.group.split(".")[0] or "core"
    return TypeName(f"{group}_{resource.version}", resource.kind)


@cache
def fields_of(name: TypeName) -> dict[str, Field]:
    """The fields of a model by their JSON names; none where there is no such model."""
    model = _model(name)
    if model is None:
        return {}
    annotations: dict[str, str] = getattr(model, "__annotations__", {})
    return {_json_name(attribute): _field(name.module, attribute, text) for attribute, text in annotations.items()}


@cache
def descriptions_of(name: TypeName) -> tuple[str, dict[str, str]]:
    """What the documentation says of a model, and of each of its fields."""
    text = getattr(_model(name), "__doc__", None) or ""
    head, _, tail = text.partition("**parameters**")
    parameters = (_PARAMETER.match(part) for part in tail.split("* **")[1:])
    described = {_json_name(m.group(1)): _flowing(m.group(2)) for m in parameters if m}
    return _flowing(head), described


def exists(name: TypeName) -> bool:
    """Whether there is such a model."""
    return _model(name) is not None


def _model(name: TypeName) -> Any:
    try:
        module = importlib.import_module(f"lightkube.models.{name.module}")
    except ImportError:
        return None
    return getattr(module, name.name, None)


def _json_name(attribute: str) -> str:
    """The JSON name of a model's attribute, which had to be made an identifier."""
    if attribute.startswith("x_kubernetes_"):
        return attribute.replace("_", "-")
    if attribute.startswith("d_"):
        return f"${attribute[2:]}"
    return attribute.rstrip("_")


def _field(module: str, attribute: str, annotation: str) -> Field:
    required = not annotation.startswith("Optional[")
    text = annotation if required else annotation[len("Optional[") : -1]
    return Field(_type(module, _json_name(attribute), text), required)


def _type(module: str, name: str, text: str) -> Type:
    if text.startswith("List["):
        return Type("list", item=_type(module, name, text[len("List[") : -1]))
    if text == "dict":
        return Type("map", item=_map_item(name))
    owner, _, model = text.rpartition(".")
    if scalar := _SCALARS.get(text) or _SCALARS.get(model):
        return Type(scalar)
    return Type("struct", struct=TypeName(owner or module, model))


def _map_item(name: str) -> Type:
    if name in _STRING_MAPS:
        return Type("string")
    if name in _QUANTITY_MAPS:
        return Type("quantity")
    if name in _SCHEMA_MAPS:
        return Type("struct", struct=TypeName("apiextensions_v1", "JSONSchemaProps"))
    return Type("any")


def _flowing(text: str) -> str:
    return " ".join(text.split())
