import copy
from typing import Any

import pytest

from aegis.diagnosis.invariants import unfounded, violations
from aegis.model.changes import Apply, Change, ChangeSet, Delete, Evict, Fix, JsonPatch, Provenance, Risk
from aegis.model.refs import ObjectRef

CONTAINER: dict[str, Any] = {
    "name": "web",
    "image": "web:1",
    "livenessProbe": {"httpGet": {"port": 80}},
    "resources": {"limits": {"memory": "64Mi"}},
    "securityContext": {"runAsNonRoot": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["NET_RAW"]}},
}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "uid": "u"},
    "spec": {
        "replicas": 3,
        "template": {
            "spec": {"containers": [CONTAINER], "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}
        },
    },
}
POLICY: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "podSelector": {},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 80}]}],
    },
}
ROLE: dict[str, Any] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "web", "namespace": "shop"},
    "rules": [],
}
NAMESPACE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "shop", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
}
_CONTAINERS = "/spec/template/spec/containers/0"


def _set(*changes: Change) -> ChangeSet:
    return ChangeSet(target=changes[0].target, target_uid="u", base_generation=1, spec_hash="h", changes=changes)


def _patched(obj: dict[str, Any], *operations: dict[str, Any]) -> list[str]:
    change = JsonPatch(target=ObjectRef.of(obj), patch=operations)
    return violations(_set(change), [obj])


def _applied(obj: dict[str, Any], patch: dict[str, Any]) -> list[str]:
    return violations(_set(Apply(target=ObjectRef.of(obj), patch=patch)), [obj])


def _pod(**fields: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": fields}}}


@pytest.mark.parametrize(
    ("obj", "operation", "says"),
    [
        (DEPLOYMENT, {"op": "remove", "path": f"{_CONTAINERS}/livenessProbe"}, "removes the livenessProbe"),
        (DEPLOYMENT, {"op": "remove", "path": f"{_CONTAINERS}/resources/limits/memory"}, "removes the memory limit"),
        (DEPLOYMENT, {"op": "replace", "path": "/spec/replicas", "value": 0}, "scales to zero"),
        (DEPLOYMENT, {"op": "add", "path": "/spec/paused", "value": True}, "pauses"),
        (DEPLOYMENT, {"op": "remove", "path": f"{_CONTAINERS}/securityContext"}, "weakens runAsNonRoot"),
        (
            DEPLOYMENT,
            {"op": "remove", "path": f"{_CONTAINERS}/securityContext/capabilities"},
            "gives containers[web] dropped capabilities back",
        ),
        (DEPLOYMENT, {"op": "remove", "path": "/spec/template/spec/securityContext"}, "weakens seccompProfile"),
        (
            DEPLOYMENT,
            {"op": "replace", "path": "/spec/template/spec/containers", "value": []},
            "removes containers[web]",
        ),
        (DEPLOYMENT, {"op": "remove", "path": "/spec/template"}, "takes the pod template away"),
        (DEPLOYMENT, {"op": "replace", "path": "/metadata/uid", "value": "x"}, "changes metadata.uid"),
        (POLICY, {"op": "remove", "path": "/spec/ingress/0"}, "takes a rule out"),
        (POLICY, {"op": "add", "path": "/spec/ingress/-", "value": {}}, "to everyone"),
        (POLICY, {"op": "replace", "path": "/spec/policyTypes", "value": ["Egress"]}, "policyTypes"),
        (ROLE, {"op": "add", "path": "/rules/-", "value": {"verbs": ["*"]}}, "access rights"),
        (NAMESPACE, {"op": "remove", "path": "/metadata/labels"}, "Pod Security level"),
        (DEPLOYMENT, {"op": "add", "path": "/spec/x", "value": "<redacted:value:123456>"}, "redacted"),
        (DEPLOYMENT, {"op": "test", "path": "/spec/replicas", "value": 99}, "do not fit"),
    ],
)
def test_what_no_patch_may_do(obj: dict[str, Any], operation: dict[str, Any], says: str) -> None:
    found = _patched(obj, operation)

    assert any(says in sentence for sentence in found), found


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        (_pod(hostNetwork=True), "sets hostNetwork"),
        (_pod(hostPID=True), "sets hostPID"),
        (_pod(volumes=[{"name": "root", "hostPath": {"path": "/"}}]), "mounts a path of the host"),
        (_pod(containers=[{"name": "web", "securityContext": {"privileged": True}}]), "privileged"),
        (_pod(containers=[{"name": "web", "securityContext": {"runAsUser": 0}}]), "run as root"),
        (
            _pod(containers=[{"name": "web", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]),
            "gives containers[web] capabilities",
        ),
        (_pod(containers=[{"name": "side", "securityContext": {"privileged": True}}]), "privileged"),
        (_pod(containers=[{"name": "web", "ports": [{"containerPort": 80, "hostPort": 80}]}]), "port of the host"),
        ({"spec": {"replicas": 0}}, "scales to zero"),
    ],
)
def test_what_no_apply_may_do(patch: dict[str, Any], says: str) -> None:
    found = _applied(DEPLOYMENT, patch)

    assert any(says in sentence for sentence in found), found


def test_what_mends_is_permitted() -> None:
    assert (
        _applied(DEPLOYMENT, _pod(containers=[{"name": "web", "image": "web:0", "env": [{"name": "A", "value": "1"}]}]))
        == []
    )
    assert _applied(DEPLOYMENT, {"spec": {"replicas": 5}}) == []
    rule = {"from": [{"podSelector": {"matchLabels": {"app": "a"}}}], "ports": [{"port": 80}]}
    assert _patched(POLICY, {"op": "add", "path": "/spec/ingress/-", "value": rule}) == []


def test_only_a_controlled_pod_may_be_deleted() -> None:
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"containers": []},
    }
    controlled = copy.deepcopy(pod)
    controlled["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "r", "controller": True}]
    delete = Delete(target=ObjectRef.of(pod), uid="u")

    assert violations(_set(delete), [pod]) == ["it deletes Pod/p in shop"]
    assert violations(_set(delete), [controlled]) == []
    assert violations(_set(Evict(target=ObjectRef.of(pod), uid="u")), [pod]) == []
    assert violations(_set(Delete(target=ObjectRef.of(DEPLOYMENT), uid="u")), [DEPLOYMENT]) == [
        "it deletes Deployment/web in shop"
    ]


def test_what_is_not_known_cannot_be_checked() -> None:
    assert violations(_set(Apply(target=ObjectRef.of(DEPLOYMENT), patch={})), []) != []


def test_steps_are_checked_one_after_the_other() -> None:
    """Removing in two steps is removing."""
    ref = ObjectRef.of(DEPLOYMENT)
    first = JsonPatch(
        target=ref,
        patch=({"op": "replace", "path": f"{_CONTAINERS}/resources", "value": {"limits": {"memory": "1Gi"}}},),
    )
    second = JsonPatch(target=ref, patch=({"op": "remove", "path": f"{_CONTAINERS}/resources/limits"},))

    assert violations(_set(first, second), [DEPLOYMENT]) == [
        "it removes the memory limit of containers[web] (Deployment/web in shop)"
    ]


def _fix(change: Change, *provenance: tuple[str, Any]) -> Fix:
    items = tuple(Provenance(path=path, value=value, source="s", evidence_id="e1") for path, value in provenance)
    return Fix(id="f", summary="s", change_set=_set(change), risk=Risk.LOW, provenance=items)


def test_every_value_needs_its_source() -> None:
    ref = ObjectRef.of(DEPLOYMENT)
    apply = Apply(target=ref, patch=_pod(containers=[{"name": "web", "env": [{"name": "A", "value": "1"}]}]))
    path = "spec.template.spec.containers[web].env[A]"

    assert unfounded(_fix(apply, (path, "1"))) == []
    assert unfounded(_fix(apply, (path, "2"))) == [f"{path}.value"]
    assert unfounded(_fix(apply, ("spec.replicas", 1))) == [f"{path}.value"]
    assert unfounded(_fix(apply)) == [f"{path}.value"]

    patch = JsonPatch(
        target=ref, patch=({"op": "add", "path": "/spec/x", "value": 1}, {"op": "remove", "path": "/spec/y"})
    )
    assert unfounded(_fix(patch, ("spec.x", 1))) == []
    assert unfounded(_fix(patch)) == ["/spec/x"]
