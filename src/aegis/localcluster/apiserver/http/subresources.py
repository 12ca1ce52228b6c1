"""Subresources that are not the object itself: scale, binding, eviction, tokens, ephemeral containers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from aegis.localcluster.apiserver import patching
from aegis.localcluster.apiserver.core import Core
from aegis.localcluster.apiserver.http import evicting, mutating
from aegis.localcluster.apiserver.http.bodies import UnsupportedType
from aegis.localcluster.apiserver.http.call import Call, Reply, reply, success
from aegis.localcluster.apiserver.objects import copied, timestamp
from aegis.localcluster.apiserver.refusals import (
    BadRequest,
    Conflict,
    Invalid,
    NotFound,
    Unimplemented,
    invalid_value,
    required,
)
from aegis.localcluster.apiserver.scaling import rescaled, scale_of
from aegis.localcluster.apiserver.store import Stored

_DEFAULT_SECONDS, _LEAST_SECONDS, _MOST_SECONDS = 3600, 600, 1 << 32
_METHODS = {"get": "get", "update": "update", "patch": "patch"}


def answer(core: Core, call: Call) -> Reply:
    """The answer to a request for a subresource.

    Raises:
        Unimplemented: the local cluster does not have it.
    """
    handler = _HANDLERS.get((call.subresource, call.verb))
    if handler is None:
        raise Unimplemented(f"{call.verb} of {call.resource.plural}/{call.subresource}")
    return handler(core, call)


def _stored(core: Core, call: Call) -> Stored:
    found = core.store.get(call.resource.stored_as, call.place.key)
    if found is None:
        raise NotFound(call.resource, call.place.name)
    return found


def _get_scale(core: Core, call: Call) -> Reply:
    return reply(scale_of(call.resource, _stored(core, call)))


def _put_scale(core: Core, call: Call) -> Reply:
    if not isinstance(call.body, dict):
        raise BadRequest("the body of the request must be a Scale")
    return _rescale(core, call, call.body)


def _patch_scale(core: Core, call: Call) -> Reply:
    accepted = (patching.MERGE, patching.JSON_PATCH, patching.STRATEGIC)
    if call.content_type not in accepted:
        raise UnsupportedType(", ".join(accepted))
    current = scale_of(call.resource, _stored(core, call))
    return _rescale(core, call, patching.patched(call.resource, current, call.body, call.content_type))


def _rescale(core: Core, call: Call, scale: Mapping[str, Any]) -> Reply:
    new = rescaled(call.resource, _stored(core, call), scale)
    return reply(scale_of(call.resource, core.writer.update(call.place, new, call.write_options())))


def _bind(core: Core, call: Call) -> Reply:
    target = (call.body or {}).get("target") or {} if isinstance(call.body, dict) else {}
    if not target.get("name"):
        raise Invalid(call.resource, call.place.name, [required("target.name")])
    pod = _stored(core, call)
    if assigned := (pod.get("spec") or {}).get("nodeName"):
        raise Conflict(call.resource, call.place.name, f'pod {call.name} is already assigned to node "{assigned}"')
    new = copied(pod)
    new["spec"]["nodeName"] = target["name"]
    core.writer.update(call.place, new, call.write_options())
    return success(code=201)


def _token(core: Core, call: Call) -> Reply:
    account = _stored(core, call)
    spec = ((call.body or {}).get("spec") or {}) if isinstance(call.body, dict) else {}
    seconds = spec.get("expirationSeconds") or _DEFAULT_SECONDS
    if not isinstance(seconds, int) or not _LEAST_SECONDS <= seconds <= _MOST_SECONDS:
        raise Invalid(
            call.resource,
            call.place.name,
            [invalid_value("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")],
        )
    audiences = tuple(spec.get("audiences") or ())
    pod = _bound_pod(core, call, spec.get("boundObjectRef"))
    issued = core.authenticator.issue(account, seconds=seconds, audiences=audiences, pod=pod)
    ends = timestamp(datetime.fromtimestamp(issued.expires_at, UTC))
    return reply(
        {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": call.name, "namespace": call.namespace, "creationTimestamp": timestamp()},
            "spec": {**spec, "expirationSeconds": seconds, "audiences": list(audiences)},
            "status": {"token": issued.token, "expirationTimestamp": ends},
        },
        201,
    )


def _bound_pod(core: Core, call: Call, reference: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if not reference:
        return None
    if reference.get("kind") != "Pod":
        raise Unimplemented(f"tokens bound to a {reference.get('kind')}")
    pods = core.registry.named("pods")
    pod = core.store.get("pods", (call.namespace, str(reference.get("name"))))
    if pod is None or reference.get("uid") not in {None, "", pod["metadata"]["uid"]}:
        raise NotFound(pods, str(reference.get("name")))
    return pod


_HANDLERS: dict[tuple[str, str], Callable[[Core, Call], Reply]] = {
    ("scale", "get"): _get_scale,
    ("scale", "update"): _put_scale,
    ("scale", "patch"): _patch_scale,
    ("binding", "create"): _bind,
    ("eviction", "create"): evicting.evict,
    ("token", "create"): _token,
    ("finalize", "update"): mutating.update,
    ("ephemeralcontainers", "get"): lambda core, call: reply(_stored(core, call)),
    ("ephemeralcontainers", "update"): mutating.update,
    ("ephemeralcontainers", "patch"): mutating.patch,
}
