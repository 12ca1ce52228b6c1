"""The listener: from an HTTP request to a call, and from a reply to an HTTP answer."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, closing, suppress
from dataclasses import replace
from urllib.parse import unquote

from aiohttp import web

from aegis.localcluster.apiserver.access import Action, User
from aegis.localcluster.apiserver.core import Core
from aegis.localcluster.apiserver.http import pages
from aegis.localcluster.apiserver.http.bodies import MAX_BODY, TooLarge
from aegis.localcluster.apiserver.http.call import Call, Reply, reply
from aegis.localcluster.apiserver.http.identity import authenticated, authorize, authorize_path
from aegis.localcluster.apiserver.http.logs import pod_logs
from aegis.localcluster.apiserver.http.paths import ApiPath, parse_path
from aegis.localcluster.apiserver.http.reviews import Asking, find_review, review
from aegis.localcluster.apiserver.http.routing import answer, decoded_body, to_call
from aegis.localcluster.apiserver.http.streaming.opening import STREAMING, open_stream
from aegis.localcluster.apiserver.http.watching import Watch
from aegis.localcluster.apiserver.refusals import NoSuchPath
from aegis.localcluster.status import ApiError

_LOG = logging.getLogger(__name__)


def application(core: Core) -> web.Application:
    """The aiohttp application of a server."""
    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_route("*", "/{path:.*}", Listener(core).handle)
    return app


class Listener:
    """Answers every request."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._pages = pages.Pages(core)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        # Whatever refuses a request becomes a Status.
        try:
            return await self._answer(request)
        except ApiError as error:
            return _response(reply(error.to_status(), error.code), error)
        except web.HTTPRequestEntityTooLarge:
            refusal = TooLarge("the request", MAX_BODY)
            return _response(reply(refusal.to_status(), refusal.code))
        except (ConnectionError, web.HTTPException):
            raise
        except Exception:  # noqa: BLE001 - the outermost door: a defect of ours must answer 500, and be heard of
            _LOG.exception("a defect while answering %s %s", request.method, request.path)
            defect = ApiError(500, "InternalError", "an error on the server has prevented the request from succeeding")
            return _response(reply(defect.to_status(), 500))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        parts = [unquote(p) for p in request.rel_url.raw_path.split("/") if p]
        user = authenticated(self._core, request)
        path = parse_path(parts)
        if path is None:
            action = Action(verb=request.method.lower(), path=request.path)
            authorize_path(self._core, user, action)
            return _response(self._pages.answer(parts, request))
        if kind := find_review(path.group, path.version, path.plural):
            body = decoded_body(await request.read(), request.content_type)
            if request.method != "POST":
                raise ApiError(
                    405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
                )
            action = Action(verb="create", group=path.group, resource=path.plural, namespace=path.namespace)
            authorize(self._core, user, action)
            return _response(review(self._core, kind, Asking(user, path.namespace, body)))
        return await self._resource(request, user, path)

    async def _resource(self, request: web.Request, user: User, path: ApiPath) -> web.StreamResponse:
        resource = self._core.registry.find(path.group, path.version, path.plural)
        if resource is None:
            raise NoSuchPath
        if path.subresource and path.subresource.partition("/")[0] not in resource.subresources:
            raise NoSuchPath
        raw = await request.read() if request.can_read_body else b""
        call = to_call(request, user, (resource, path), raw)
        authorize(self._core, user, _action(call))
        if call.verb == "watch":
            return await _stream_watch(request, Watch(self._core, call))
        if call.subresource == "log":
            if call.verb != "get":
                raise ApiError(405, "MethodNotAllowed", "logs can only be read")
            return await _stream_logs(request, pod_logs(self._core, call), follow=call.flag("follow"))
        if call.subresource in STREAMING:
            # A WebSocket opens with a GET: whoever may only read must not come in by it.
            authorize(self._core, user, replace(_action(call), verb="create"))
            return await open_stream(request, self._core, call)
        return _response(answer(self._core, call))


def _action(call: Call) -> Action:
    resource = f"{call.resource.plural}/{call.subresource}" if call.subresource else call.resource.plural
    namespace = call.namespace
    if call.resource.plural == "namespaces" and not call.resource.group:
        namespace = call.name
    return Action(verb=call.verb, group=call.resource.group, resource=resource, namespace=namespace, name=call.name)


def _response(answer_: Reply, error: ApiError | None = None) -> web.Response:
    headers = {"Content-Type": answer_.content_type, "Cache-Control": "no-cache, private"}
    if error is not None and "retryAfterSeconds" in error.details:
        headers["Retry-After"] = str(error.details["retryAfterSeconds"])
    response = web.Response(body=answer_.body, status=answer_.status, headers=headers)
    for warning in answer_.warnings:
        text = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{text}"')
    return response


async def _stream_watch(request: web.Request, watch: Watch) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"})
    with closing(watch), suppress(ConnectionResetError):  # whoever watched may have gone
        await response.prepare(request)
        async with aclosing(watch.lines()) as lines:
            async for line in lines:
                await response.write(line)
        await response.write_eof()
    return response


async def _stream_logs(request: web.Request, lines: AsyncIterator[bytes], *, follow: bool) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
    if follow:
        response.enable_chunked_encoding()
    with suppress(ConnectionResetError):  # whoever read may have gone
        await response.prepare(request)
        async for line in lines:
            await response.write(line)
        await response.write_eof()
    return response
