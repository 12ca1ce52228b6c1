"""Role-based access control: who may do what, from the roles and bindings in the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from aegis.localcluster.apiserver.store import Store

MASTERS = "system:masters"
_GROUP = "rbac.authorization.k8s.io"
_SERVICE_ACCOUNT = "system:serviceaccount:"

Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What is asked for: a verb on a resource, or on a path outside of the resources.

    Attributes:
        resource: the plural name, with `/subresource` where there is one.
    """

    verb: str
    group: str = ""
    resource: str = ""
    namespace: str | None = None
    name: str | None = None
    path: str | None = None


class AccessControl:
    """Decides by the stored Roles, ClusterRoles and their bindings; nothing is allowed that no rule allows."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def allows(self, user: User, action: Action) -> bool:
        """Whether a user may do this."""
        if MASTERS in user.groups:
            return True
        return any(rule_allows(rule, action) for rule in self.rules(user, action.namespace))

    def rules(self, user: User, namespace: str | None) -> Iterator[Rule]:
        """Every rule that applies to a user in a namespace (None: those of the whole cluster only)."""
        if MASTERS in user.groups:
            yield {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
            yield {"nonResourceURLs": ["*"], "verbs": ["*"]}
        for binding in self._store.objects(f"clusterrolebindings.{_GROUP}"):
            if binds(binding, user):
                yield from self.role_rules(binding["roleRef"], None)
        if namespace:
            for binding in self._store.objects(f"rolebindings.{_GROUP}", namespace):
                if binds(binding, user):
                    yield from self.role_rules(binding["roleRef"], namespace)

    def role_rules(self, reference: Mapping[str, Any], namespace: str | None) -> Sequence[Rule]:
        """The rules of the role that a binding refers to; none where it does not exist."""
        if reference.get("kind") == "ClusterRole":
            role = self._store.get(f"clusterroles.{_GROUP}", (None, str(reference.get("name"))))
        else:
            role = self._store.get(f"roles.{_GROUP}", (namespace, str(reference.get("name"))))
        return (role.get("rules") or ()) if role is not None else ()

    def covers(self, user: User, namespace: str | None, wanted: Iterable[Rule]) -> bool:
        """Whether a user holds at least all that these rules would grant (so that no role escalates)."""
        held = list(self.rules(user, namespace))
        return all(any(rule_allows(h, action) for h in held) for rule in wanted for action in _actions(rule))


def binds(binding: Mapping[str, Any], user: User) -> bool:
    """Whether a binding names this user, one of its groups, or its service account."""
    return any(_is_subject(subject, user, binding) for subject in binding.get("subjects") or ())


def rule_allows(rule: Rule, action: Action) -> bool:
    """Whether one rule grants an action."""
    if not _listed(rule.get("verbs"), action.verb):
        return False
    if action.path is not None:
        return any(_path_matches(pattern, action.path) for pattern in rule.get("nonResourceURLs") or ())
    if not _listed(rule.get("apiGroups"), action.group) or not _resource_listed(rule, action.resource):
        return False
    names = rule.get("resourceNames")
    return not names or action.name in names


def _is_subject(subject: Mapping[str, Any], user: User, binding: Mapping[str, Any]) -> bool:
    kind, name = subject.get("kind"), subject.get("name")
    if kind == "User":
        return name == user.name
    if kind == "Group":
        return name in user.groups
    namespace = subject.get("namespace") or binding["metadata"].get("namespace")
    return kind == "ServiceAccount" and user.name == f"{_SERVICE_ACCOUNT}{namespace}:{name}"


def _listed(values: Sequence[str] | None, wanted: str) -> bool:
    return bool(values) and ("*" in (values or ()) or wanted in (values or ()))


def _resource_listed(rule: Rule, wanted: str) -> bool:
    resources = rule.get("resources") or ()
    if "*" in resources or wanted in resources:
        return True
    _, slash, subresource = wanted.partition("/")
    return bool(slash) and f"*/{subresource}" in resources


def _path_matches(pattern: str, path: str) -> bool:
    return pattern in {"*", path} or (pattern.endswith("*") and path.startswith(pattern[:-1]))


def _actions(rule: Rule) -> Iterator[Action]:
    """The single grants of a rule; a wildcard stays one, so that only a wildcard covers it."""
    for verb in rule.get("verbs") or ():
        for path in rule.get("nonResourceURLs") or ():
            yield Action(verb=verb, path=path)
        names = rule.get("resourceNames") or (None,)
        for group, resource, name in product(rule.get("apiGroups") or (), rule.get("resources") or (), names):
            yield Action(verb=verb, group=group, resource=resource, name=name)
