from typing import Any

import pytest
from api_calls import Api

from aegis.localcluster.apiserver.access import AccessControl, Action, User, rule_allows
from aegis.localcluster.apiserver.refusals import Forbidden

BOB = User(name="bob", groups=("devs", "system:authenticated"))
RBAC = "rbac.authorization.k8s.io"


def rule(**more: Any) -> dict[str, Any]:
    return {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], **more}


def grant(api: Api, rules: list[dict[str, Any]], *, subject: dict[str, str], cluster: bool = False) -> None:
    kind = "ClusterRole" if cluster else "Role"
    plural = f"{kind.lower()}s.{RBAC}"
    api.call("create", plural, None, {"metadata": {"name": "r"}, "rules": rules})
    binding = {
        "metadata": {"name": "r"},
        "roleRef": {"kind": kind, "name": "r", "apiGroup": RBAC},
        "subjects": [subject],
    }
    api.call("create", plural.replace("roles", "rolebindings"), None, binding)


@pytest.mark.parametrize(
    ("given", "action", "allowed"),
    [
        (rule(), Action(verb="get", resource="pods"), True),
        (rule(), Action(verb="list", resource="pods"), False),
        (rule(), Action(verb="get", resource="pods", group="apps"), False),
        (rule(), Action(verb="get", resource="pods/log"), False),
        (rule(resources=["*/log"]), Action(verb="get", resource="pods/log"), True),
        (rule(resources=["*"]), Action(verb="get", resource="pods/log"), True),
        (rule(resourceNames=["a"]), Action(verb="get", resource="pods", name="a"), True),
        (rule(resourceNames=["a"]), Action(verb="get", resource="pods", name="b"), False),
        (rule(resourceNames=["a"]), Action(verb="get", resource="pods"), False),
        ({"nonResourceURLs": ["/api/*"], "verbs": ["get"]}, Action(verb="get", path="/api/v1"), True),
        ({"nonResourceURLs": ["/api"], "verbs": ["get"]}, Action(verb="get", path="/apis"), False),
        ({"nonResourceURLs": ["*"], "verbs": ["*"]}, Action(verb="get", resource="pods"), False),
    ],
)
def test_rules(given: dict[str, Any], action: Action, allowed: bool) -> None:
    assert rule_allows(given, action) is allowed


def test_a_role_counts_in_its_namespace_only(api: Api) -> None:
    grant(api, [rule()], subject={"kind": "User", "name": "bob"})
    access = AccessControl(api.core.store)
    assert access.allows(BOB, Action(verb="get", resource="pods", namespace="default"))
    assert not access.allows(BOB, Action(verb="get", resource="pods", namespace="kube-system"))
    assert not access.allows(BOB, Action(verb="get", resource="pods"))


def test_groups_and_service_accounts(api: Api) -> None:
    grant(api, [rule()], subject={"kind": "Group", "name": "devs"}, cluster=True)
    grant(api, [rule(verbs=["list"])], subject={"kind": "ServiceAccount", "name": "bot", "namespace": "default"})
    access = AccessControl(api.core.store)
    bot = User(name="system:serviceaccount:default:bot")
    assert access.allows(BOB, Action(verb="get", resource="pods"))
    assert access.allows(bot, Action(verb="list", resource="pods", namespace="default"))
    assert not access.allows(bot, Action(verb="get", resource="pods", namespace="default"))


def test_nobody_grants_what_they_do_not_hold(api: Api) -> None:
    grant(
        api,
        [rule(), rule(apiGroups=[RBAC], resources=["roles", "rolebindings"], verbs=["create"])],
        subject={"kind": "User", "name": "bob"},
    )
    held = {"metadata": {"name": "held"}, "rules": [rule()]}
    more = {"metadata": {"name": "more"}, "rules": [rule(verbs=["delete"])]}
    api.call("create", f"roles.{RBAC}", None, held, user=BOB)
    with pytest.raises(Forbidden, match="not currently held"):
        api.call("create", f"roles.{RBAC}", None, more, user=BOB)
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "User", "name": "bob"}],
    }
    with pytest.raises(Forbidden, match="not currently held"):
        api.call("create", f"rolebindings.{RBAC}", None, binding, user=BOB)
