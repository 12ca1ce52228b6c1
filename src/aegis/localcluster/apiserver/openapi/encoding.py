"""OpenAPI v2 as protocol buffers, which older kubectls ask for: the messages of gnostic's `openapi.v2`.

The field numbers are those of its published `OpenAPIv2.proto`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aegis.localcluster.apiserver.protobuf.wire import field, message
from aegis.localcluster.apiserver.store import encode

_TEXTS = {"$ref": 1, "format": 2, "title": 3, "description": 4, "pattern": 13}
_WHOLE = {"maxLength": 11, "minLength": 12, "maxItems": 14, "minItems": 15}


def encode_v2(document: Mapping[str, Any]) -> bytes:
    """A document of OpenAPI v2 as an `openapi.v2.Document`."""
    info = message([field(1, document["info"]["title"]), field(2, document["info"]["version"])])
    paths = (_named(2, path, _path_item(item)) for path, item in document["paths"].items())
    definitions = (_named(1, name, _schema(schema)) for name, schema in document["definitions"].items())
    return message([
        field(1, document["swagger"]),
        field(2, info),
        field(8, message(paths)),
        field(9, message(definitions)),
    ])


def _named(number: int, name: str, value: bytes) -> bytes:
    return field(number, message([field(1, name), field(2, value)]))


def _path_item(item: Mapping[str, Any]) -> bytes:
    return field(8, message(_operation(item["patch"])))


def _operation(operation: Mapping[str, Any]) -> Iterator[bytes]:
    yield field(5, operation["operationId"])
    for parameter in operation["parameters"]:
        query = message([field(2, "query"), field(4, parameter["name"]), field(6, parameter["type"])])
        yield field(8, field(1, field(2, field(3, query))))
    for code, answer in operation["responses"].items():
        described = message([field(1, answer["description"])])
        yield field(9, _named(1, code, field(1, described)))
    yield from (_extension(13, k, v) for k, v in operation.items() if k.startswith("x-"))


def _schema(schema: Mapping[str, Any]) -> bytes:
    return message(_schema_fields(schema))


def _schema_fields(schema: Mapping[str, Any]) -> Iterator[bytes]:
    for name, number in _TEXTS.items():
        if schema.get(name):
            yield field(number, schema[name])
    for name, number in _WHOLE.items():
        if schema.get(name):
            yield field(number, int(schema[name]))
    yield from (field(19, name) for name in schema.get("required") or ())
    if isinstance(schema.get("additionalProperties"), Mapping):
        yield field(21, field(1, _schema(schema["additionalProperties"])))
    if schema.get("type"):
        yield field(22, field(1, schema["type"]))
    if isinstance(schema.get("items"), Mapping):
        yield field(23, field(1, _schema(schema["items"])))
    if properties := schema.get("properties"):
        yield field(25, message(_named(1, name, _schema(child)) for name, child in properties.items()))
    yield from (_extension(31, k, v) for k, v in schema.items() if k.startswith("x-"))


def _extension(number: int, name: str, value: Any) -> bytes:
    """A NamedAny whose value is YAML, of which JSON is a part."""
    return _named(number, name, field(2, encode(value)))
