"""Who sends a request, on whose behalf, and whether they may."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from aiohttp import web

from aegis.localcluster.apiserver.access import Action, User
from aegis.localcluster.apiserver.authn import ANONYMOUS, AUTHENTICATED
from aegis.localcluster.apiserver.core import Core
from aegis.localcluster.apiserver.refusals import BadRequest
from aegis.localcluster.status import ApiError

_PUBLIC = frozenset({"/readyz", "/livez", "/healthz", "/version", "/version/"})
_EXTRA = "impersonate-extra-"
_SERVICE_ACCOUNT = "system:serviceaccount:"


class Denied(ApiError):
    """403 by access control."""

    def __init__(self, user: User, action: Action, why: str = "") -> None:
        if action.path is not None:
            message = f'forbidden: User "{user.name}" cannot {action.verb} path "{action.path}"'
            super().__init__(403, "Forbidden", message)
            return
        plural = action.resource.partition("/")[0]
        qualified = f"{plural}.{action.group}" if action.group else plural
        named = f' "{action.name}"' if action.name else ""
        where = f'in the namespace "{action.namespace}"' if action.namespace else "at the cluster scope"
        message = (
            f'{qualified}{named} is forbidden: User "{user.name}" cannot {action.verb} resource "{action.resource}" '
            f'in API group "{action.group}" {where}{why}'
        )
        details = {"name": action.name or "", "group": action.group, "kind": plural}
        super().__init__(403, "Forbidden", message, details={k: v for k, v in details.items() if v})


def authenticated(core: Core, request: web.Request) -> User:
    """Who a request acts as: the sender, or the user that the sender may impersonate."""
    certificate: dict[str, Any] | None = None
    if request.transport is not None:
        certificate = request.transport.get_extra_info("peercert") or None
    user = core.authenticator.user(request.headers.get("Authorization"), certificate)
    return _impersonated(core, user, request)


def authorize(core: Core, user: User, action: Action) -> None:
    """Let an action pass.

    Raises:
        Denied: no rule allows it.
    """
    if not core.access.allows(user, action):
        raise Denied(user, action)


def authorize_path(core: Core, user: User, action: Action) -> None:
    """Let a request outside of the resources pass; health and version are public.

    Raises:
        Denied: no rule allows it.
    """
    if action.path not in _PUBLIC:
        authorize(core, user, action)


def _impersonated(core: Core, user: User, request: web.Request) -> User:
    headers = request.headers
    name, groups = headers.get("Impersonate-User", ""), headers.getall("Impersonate-Group", [])
    uid = headers.get("Impersonate-Uid", "")
    extra = _extra(request)
    if not name:
        if groups or uid or extra:
            raise BadRequest("requested impersonation without a user name")
        return user
    _check_user(core, user, name)
    for group in groups:
        authorize(core, user, Action(verb="impersonate", resource="groups", name=group))
    if uid:
        authorize(core, user, Action(verb="impersonate", group="authentication.k8s.io", resource="uids", name=uid))
    for key in extra:
        resource = f"userextras/{key}"
        authorize(core, user, Action(verb="impersonate", group="authentication.k8s.io", resource=resource))
    if name == ANONYMOUS.name:
        return ANONYMOUS
    return User(name=name, groups=_groups(name, groups), uid=uid, extra=extra)


def _check_user(core: Core, user: User, name: str) -> None:
    if name.startswith(_SERVICE_ACCOUNT) and name.count(":") == 3:  # noqa: PLR2004 - system:serviceaccount:NAMESPACE:NAME
        _, _, namespace, account = name.split(":")
        action = Action(verb="impersonate", resource="serviceaccounts", namespace=namespace, name=account)
    else:
        action = Action(verb="impersonate", resource="users", name=name)
    authorize(core, user, action)


def _groups(name: str, groups: list[str]) -> tuple[str, ...]:
    if not groups and name.startswith(_SERVICE_ACCOUNT):
        namespace = name.split(":")[2]
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
    return tuple(dict.fromkeys([*groups, AUTHENTICATED]))


def _extra(request: web.Request) -> dict[str, list[str]]:
    extra: dict[str, list[str]] = {}
    for header, value in request.headers.items():
        if header.lower().startswith(_EXTRA):
            extra.setdefault(unquote(header[len(_EXTRA) :]).lower(), []).append(value)
    return extra
