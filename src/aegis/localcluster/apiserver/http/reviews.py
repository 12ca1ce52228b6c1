"""Reviews: questions about identity and permission, answered and never stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aegis.localcluster.apiserver.access import Action, User
from aegis.localcluster.apiserver.core import Core
from aegis.localcluster.apiserver.http.call import Reply, reply
from aegis.localcluster.apiserver.refusals import BadRequest
from aegis.localcluster.apiserver.registry import REVIEWS, ReviewKind


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, in which namespace, with what body."""

    user: User
    namespace: str | None
    body: Any


def find_review(group: str, version: str, plural: str) -> ReviewKind | None:
    """The review at a path, or None."""
    return next((r for r in REVIEWS if (r.group, r.plural) == (group, plural) and version == "v1"), None)


def review(core: Core, kind: ReviewKind, asking: Asking) -> Reply:
    """The review with its status.

    Raises:
        BadRequest: the body is no review of this kind.
    """
    body = asking.body
    if not isinstance(body, dict) or not isinstance(body.get("spec") or {}, dict):
        raise BadRequest(f"the body of the request must be a {kind.kind}")
    status = _ANSWERS[kind.kind](core, asking.user, body.get("spec") or {}, asking.namespace)
    filled = {"metadata": {}, **body, "kind": kind.kind, "apiVersion": f"{kind.group}/v1", "status": status}
    return reply(filled, 201)


def _self_access(core: Core, user: User, spec: Mapping[str, Any], _namespace: str | None) -> dict[str, Any]:
    return _decision(core, user, spec)


def _access(core: Core, _user: User, spec: Mapping[str, Any], _namespace: str | None) -> dict[str, Any]:
    if not spec.get("user") and not spec.get("groups"):
        raise BadRequest("spec.user: Invalid value: at least one of user or group must be specified")
    subject = User(
        name=str(spec.get("user") or ""), groups=tuple(spec.get("groups") or ()), uid=str(spec.get("uid", ""))
    )
    return _decision(core, subject, spec)


def _local_access(core: Core, user: User, spec: Mapping[str, Any], namespace: str | None) -> dict[str, Any]:
    if (spec.get("resourceAttributes") or {}).get("namespace") != namespace:
        raise BadRequest("spec.resourceAttributes.namespace must match metadata.namespace")
    return _access(core, user, spec, namespace)


def _decision(core: Core, user: User, spec: Mapping[str, Any]) -> dict[str, Any]:
    attributes, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if bool(attributes) == bool(path):
        raise BadRequest("exactly one of nonResourceAttributes or resourceAttributes must be specified")
    if path:
        action = Action(verb=str(path.get("verb", "")), path=str(path.get("path", "")))
    else:
        action = resource_action(attributes or {})
    return {"allowed": core.access.allows(user, action)}


def resource_action(attributes: Mapping[str, Any]) -> Action:
    """The action that ResourceAttributes describe."""
    resource = str(attributes.get("resource", ""))
    if subresource := attributes.get("subresource"):
        resource = f"{resource}/{subresource}"
    return Action(
        verb=str(attributes.get("verb", "")),
        group=str(attributes.get("group", "")),
        resource=resource,
        namespace=attributes.get("namespace") or None,
        name=attributes.get("name") or None,
    )


def _self_rules(core: Core, user: User, spec: Mapping[str, Any], _namespace: str | None) -> dict[str, Any]:
    if not spec.get("namespace"):
        raise BadRequest("no namespace on request")
    rules = list(core.access.rules(user, str(spec["namespace"])))
    return {
        "resourceRules": [r for r in rules if r.get("resources")],
        "nonResourceRules": [r for r in rules if r.get("nonResourceURLs")],
        "incomplete": False,
    }


def _self_subject(_core: Core, user: User, _spec: Mapping[str, Any], _namespace: str | None) -> dict[str, Any]:
    return {"userInfo": user_info(user)}


def user_info(user: User) -> dict[str, Any]:
    """A user as authentication.k8s.io/v1 UserInfo."""
    info: dict[str, Any] = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        info["uid"] = user.uid
    if user.extra:
        info["extra"] = {k: list(v) for k, v in user.extra.items()}
    return info


def _token(core: Core, _user: User, spec: Mapping[str, Any], _namespace: str | None) -> dict[str, Any]:
    audiences = tuple(spec.get("audiences") or ())
    user = core.authenticator.of_token(str(spec.get("token", "")), audiences)
    if user is None:
        return {"authenticated": False, "user": {}, "error": "the token is not valid"}
    return {"authenticated": True, "user": user_info(user), **({"audiences": list(audiences)} if audiences else {})}


_ANSWERS: Mapping[str, Callable[[Core, User, Mapping[str, Any], str | None], dict[str, Any]]] = {
    "SelfSubjectAccessReview": _self_access,
    "SubjectAccessReview": _access,
    "LocalSubjectAccessReview": _local_access,
    "SelfSubjectRulesReview": _self_rules,
    "SelfSubjectReview": _self_subject,
    "TokenReview": _token,
}
