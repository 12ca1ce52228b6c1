"""How objects go out: whole, as metadata only, or as the rows of a table, whichever the client accepts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from aegis.localcluster.apiserver.http.call import Call, Reply, reply
from aegis.localcluster.apiserver.presenting import presented
from aegis.localcluster.apiserver.registry import Resource
from aegis.localcluster.apiserver.store import Stored, encode
from aegis.localcluster.apiserver.tables import table
from aegis.localcluster.status import ApiError

Form = Literal["object", "table", "metadata"]
_AS = re.compile(r";\s*as=(\w+)")
_VERSION = re.compile(r";\s*v=(\w+)")


class NotAcceptable(ApiError):
    """406."""

    def __init__(self) -> None:
        message = "only the following media types are accepted: application/json"
        super().__init__(406, "NotAcceptable", message)


def accepted_form(accept: str) -> Form:
    """The first form among those that an Accept header names.

    Raises:
        NotAcceptable: it names none that the server has.
    """
    if not accept:
        return "object"
    for offer in accept.split(","):
        media = offer.split(";")[0].strip()
        if media not in {"application/json", "application/*", "*/*"}:
            continue
        form = _AS.search(offer)
        version = _VERSION.search(offer)
        if form is None:
            return "object"
        if version is not None and version.group(1) != "v1":
            continue
        if form.group(1) == "Table":
            return "table"
        if form.group(1) in {"PartialObjectMetadata", "PartialObjectMetadataList"}:
            return "metadata"
    raise NotAcceptable


def render(call: Call, obj: Mapping[str, Any], status: int = 200) -> Reply:
    """One object in the form that the client accepts."""
    return reply(formed(call, presented(call.resource, obj)), status)


def formed(call: Call, obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """One object in the form that the client accepts, as JSON."""
    match accepted_form(call.accept):
        case "table":
            revision = obj["metadata"].get("resourceVersion", "")
            include = call.query.get("includeObject", "")
            return table(call.resource, [obj], {"resourceVersion": revision}, include)
        case "metadata":
            return partial(obj)
        case "object":
            return obj


def render_list(call: Call, objects: Sequence[Stored], metadata: Mapping[str, Any]) -> Reply:
    """A list in the form that the client accepts."""
    resource = call.resource
    shown = [presented(resource, o) for o in objects]
    match accepted_form(call.accept):
        case "table":
            return reply(table(resource, shown, metadata, call.query.get("includeObject", "")))
        case "metadata":
            return Reply(body=_list_bytes("PartialObjectMetadataList", "meta.k8s.io/v1", metadata, map(partial, shown)))
        case "object":
            return Reply(body=_list_bytes(list_kind(resource), resource.api_version, metadata, shown))


def list_kind(resource: Resource) -> str:
    """The kind of a list of this resource."""
    return f"{resource.kind}List"


def partial(obj: Mapping[str, Any]) -> dict[str, Any]:
    """An object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _list_bytes(kind: str, api_version: str, metadata: Mapping[str, Any], objects: Any) -> bytes:
    head = encode({"kind": kind, "apiVersion": api_version, "metadata": metadata})
    items = b",".join(o.wire() if isinstance(o, Stored) else encode(o) for o in objects)
    return b"".join((head[:-1], b',"items":[', items, b"]}"))
