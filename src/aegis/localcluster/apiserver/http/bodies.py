"""Request bodies: JSON and YAML, bounded in depth and in size after aliases are counted out."""

from __future__ import annotations

import json
from typing import Any

import yaml

from aegis.localcluster.apiserver.protobuf.decoding import CONTENT_TYPE as PROTOBUF
from aegis.localcluster.apiserver.protobuf.decoding import decode_object
from aegis.localcluster.apiserver.protobuf.wire import WireError
from aegis.localcluster.apiserver.refusals import BadRequest
from aegis.localcluster.status import ApiError

MAX_BODY = 3 * 1024 * 1024
"""Bytes of a request (the API server's own limit); an object may have half of it."""
MAX_OBJECT = 1536 * 1024
"""Bytes of one object in the store (etcd's limit on a request)."""
_DEPTH, _NODES = 200, 400_000

JSON_TYPES = frozenset({
    "application/json", "application/json-patch+json", "application/merge-patch+json",
    "application/strategic-merge-patch+json", "",
})  # fmt: skip
YAML_TYPES = frozenset({"application/yaml", "application/apply-patch+yaml", "application/x-yaml", "text/yaml"})


class TooLarge(ApiError):
    """413."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(413, "RequestEntityTooLarge", f"{what} is too large: limit is {limit} bytes")


class UnsupportedType(ApiError):
    """415."""

    def __init__(self, accepted: str) -> None:
        message = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        super().__init__(415, "UnsupportedMediaType", message)


class _Loader(yaml.CSafeLoader):
    """YAML as JSON knows it: no dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def decode_body(raw: bytes, content_type: str) -> Any:
    """The JSON value of a body; None for an empty one.

    Raises:
        BadRequest: it is not what it says it is, or is nested too deeply.
        UnsupportedType: its type is neither JSON nor YAML, nor protobuf of a kind that kubectl creates.
    """
    if not raw.strip():
        return None
    if content_type in JSON_TYPES:
        value = _json(raw)
    elif content_type in YAML_TYPES:
        value = _yaml(raw)
    elif content_type == PROTOBUF:
        value = _protobuf(raw)
    else:
        raise UnsupportedType("application/json, application/yaml, application/vnd.kubernetes.protobuf")
    _check_bounds(value)
    return value


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the object provided is unrecognized: {error}") from None


def _yaml(raw: bytes) -> Any:
    try:
        return json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        pass
    try:
        return yaml.load(raw, _Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadRequest(f"error converting YAML to JSON: {error}") from None


def _protobuf(raw: bytes) -> Any:
    try:
        return decode_object(raw)
    except WireError as error:
        raise UnsupportedType(f"application/json, application/yaml ({error})") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _check_bounds(value: Any) -> None:
    # The value is walked as a tree: aliases of YAML, which share nodes, are counted each time they stand somewhere.
    pending: list[tuple[Any, int]] = [(value, 0)]
    nodes = 0
    while pending:
        node, depth = pending.pop()
        nodes += 1
        if depth > _DEPTH or nodes > _NODES:
            raise BadRequest("the object provided is nested too deeply or has too many fields")
        if isinstance(node, dict):
            if any(not isinstance(k, str) for k in node):
                raise BadRequest("the keys of an object must be strings")
            pending += [(v, depth + 1) for v in node.values()]
        elif isinstance(node, list):
            pending += [(v, depth + 1) for v in node]
        elif isinstance(node, bytes):
            raise BadRequest("binary values are not JSON")
