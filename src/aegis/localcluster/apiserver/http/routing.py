"""Which verb a request is, and which function answers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from aegis.localcluster.apiserver.access import User
from aegis.localcluster.apiserver.core import Core
from aegis.localcluster.apiserver.http import measuring, mutating, reading, subresources
from aegis.localcluster.apiserver.http.bodies import decode_body
from aegis.localcluster.apiserver.http.call import Call, Reply
from aegis.localcluster.apiserver.http.paths import ApiPath
from aegis.localcluster.apiserver.refusals import BadRequest, NoSuchPath
from aegis.localcluster.apiserver.registry import Resource
from aegis.localcluster.status import ApiError

_COLLECTION = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_OBJECT = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_TRUE = frozenset({"true", "1"})

_HANDLERS: dict[str, Callable[[Core, Call], Reply]] = {
    "get": reading.get,
    "list": reading.list_objects,
    "create": mutating.create,
    "update": mutating.update,
    "patch": mutating.patch,
    "delete": mutating.delete,
    "deletecollection": mutating.delete_collection,
}


class MethodNotAllowed(ApiError):
    """405."""

    def __init__(self) -> None:
        message = "the server does not allow this method on the requested resource"
        super().__init__(405, "MethodNotAllowed", message)


def to_call(request: web.Request, user: User, target: tuple[Resource, ApiPath], raw: bytes) -> Call:
    """The call that a request is.

    Raises:
        BadRequest: the namespace is missing, or the body does not decode.
        NoSuchPath: a cluster-wide resource is asked for in a namespace.
        MethodNotAllowed: the resource does not have this verb.
    """
    resource, path = target
    if path.namespace is not None and not resource.namespaced:
        raise NoSuchPath
    verb = _verb(request, path)
    if verb not in resource.verbs and not path.subresource:
        raise MethodNotAllowed
    if path.namespace is None and resource.namespaced and path.name is not None:
        raise BadRequest("namespace is required")
    return Call(
        user=user,
        verb=verb,
        resource=resource,
        namespace=path.namespace,
        name=path.name,
        subresource=path.subresource,
        query=request.query,
        accept=request.headers.get("Accept", ""),
        content_type=request.content_type if raw else "",
        body=decoded_body(raw, request.content_type),
        agent=request.headers.get("User-Agent", "unknown").split("/")[0].split(" ")[0] or "unknown",
    )


def decoded_body(raw: bytes, content_type: str) -> Any:
    """A body as JSON; a missing Content-Type means JSON."""
    return decode_body(raw, "" if content_type == "application/octet-stream" else content_type)


def answer(core: Core, call: Call) -> Reply:
    """The answer to a call that does not stream."""
    if call.resource.group == measuring.GROUP:
        done = measuring.answer(core, call)
    elif call.subresource and call.subresource != "status":
        done = subresources.answer(core, call)
    else:
        done = _HANDLERS[call.verb](core, call)
    if not call.warnings:
        return done
    return Reply(
        status=done.status, body=done.body, content_type=done.content_type, warnings=tuple(dict.fromkeys(call.warnings))
    )


def _verb(request: web.Request, path: ApiPath) -> str:
    if request.method in {"GET", "HEAD"}:
        if request.query.get("watch") in _TRUE and not path.subresource:
            return "watch"
        return "get" if path.name else "list"
    if path.subresource and request.method == "POST":
        return "create"
    verb = (_OBJECT if path.name else _COLLECTION).get(request.method)
    if verb is None or (path.subresource == "status" and verb == "delete"):
        raise MethodNotAllowed
    return verb
