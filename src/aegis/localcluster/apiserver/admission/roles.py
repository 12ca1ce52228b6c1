"""Roles and their bindings: nobody grants what they do not hold, unless a rule lets them (`escalate`, `bind`)."""

from __future__ import annotations

from collections.abc import Iterable

from aegis.localcluster.apiserver.access import AccessControl, Action, Rule, User
from aegis.localcluster.apiserver.admission.request import Request
from aegis.localcluster.apiserver.refusals import Forbidden
from aegis.localcluster.apiserver.store import Store

_GROUP = "rbac.authorization.k8s.io"
_ROLES = frozenset({"Role", "ClusterRole"})
_BINDINGS = frozenset({"RoleBinding", "ClusterRoleBinding"})


class RoleEscalation:
    """Checks who writes roles and bindings; parts of the cluster itself may."""

    def __init__(self, store: Store) -> None:
        self._access = AccessControl(store)

    def mutate(self, request: Request) -> None:
        """Nothing to change."""

    def judge(self, request: Request) -> None:
        """Refuse a grant of what its writer does not hold.

        Raises:
            Forbidden: so it is.
        """
        if request.user is None or request.resource.group != _GROUP:
            return
        if request.resource.kind in _ROLES:
            rules: Iterable[Rule] = request.new.get("rules") or ()
            verb, resource, name = "escalate", request.resource.plural, request.name
            unchanged = request.old is not None and request.old.get("rules") == request.new.get("rules")
        elif request.resource.kind in _BINDINGS:
            reference = request.new["roleRef"]
            rules = self._access.role_rules(reference, request.namespace)
            verb, name = "bind", reference.get("name")
            resource = "clusterroles" if reference.get("kind") == "ClusterRole" else "roles"
            unchanged = request.old is not None and request.old.get("subjects") == request.new.get("subjects")
        else:
            return
        action = Action(verb=verb, group=_GROUP, resource=resource, namespace=request.namespace, name=name)
        if unchanged or self._may(request.user, action, rules):
            return
        why = f'user "{request.user.name}" (groups={list(request.user.groups)}) is attempting to grant RBAC permissions not currently held'
        raise Forbidden(request.resource, request.name, why)

    def _may(self, user: User, action: Action, rules: Iterable[Rule]) -> bool:
        return self._access.allows(user, action) or self._access.covers(user, action.namespace, rules)
