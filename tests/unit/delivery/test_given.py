"""What a person's own fix may not do, and which of its values nothing explains (the table of refusals is in tests/flows)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.delivery.given import objections, unexplained, untriable
from aegis.model.changes import Apply, ChangeSet, JsonPatch
from aegis.model.refs import ObjectRef


def deployment(**container: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "web", "image": "registry.shop/web:1", **container}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "u"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {}, "spec": spec}},
    }


WEB = deployment(command=["/app/run", "--fast"], env=[{"name": "MODE", "value": "fast"}])


def change_set(*changes: Apply | JsonPatch) -> ChangeSet:
    return ChangeSet(target=changes[0].target, target_uid="u", base_generation=1, spec_hash="h", changes=changes)


def web(**container: Any) -> ChangeSet:
    spec = {"containers": [{"name": "web", **container}]}
    return change_set(Apply(target=ObjectRef.of(WEB), patch={"spec": {"template": {"spec": spec}}}))


@pytest.mark.parametrize(
    "container",
    [
        {"image": "registry.shop/web:2"},
        {"env": [{"name": "MODE", "value": "slow"}]},
        {"env": [{"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}]},
        {"command": ["/app/run", "--slow"]},
        {"command": ["python", "-u", "/app/other.py"]},
        {"resources": {"limits": {"memory": "128Mi"}}},
        {"livenessProbe": {"exec": {"command": ["sh", "-c", "exit 0"]}}},
        {"readinessProbe": {"httpGet": {"path": "/", "port": 80}}},
        {"securityContext": {"runAsNonRoot": True, "allowPrivilegeEscalation": False}},
    ],
)
def test_what_a_team_may_well_want_is_tried(container: dict[str, Any]) -> None:
    assert objections(web(**container), [WEB]) == []


def test_a_shell_line_that_was_one_before_may_be_mended_and_not_emptied() -> None:
    live = deployment(command=["sh", "-c", "exec /app/run --fsat"])
    change = {"spec": {"template": {"spec": {"containers": [{"name": "web", "command": ["sh", "-c", "%"]}]}}}}
    for line, said in (("exec /app/run --fast", []), ("true", ["does nothing"]), ("exit 0;", ["does nothing"])):
        patch = Apply(target=ObjectRef.of(live), patch=_with(change, line))
        found = objections(change_set(patch), [live])
        assert [any(word in one for one in found) for word in said] == [True] * len(said)
        assert bool(found) == bool(said)


def _with(change: dict[str, Any], line: str) -> dict[str, Any]:
    [container] = change["spec"]["template"]["spec"]["containers"]
    return {"spec": {"template": {"spec": {"containers": [{**container, "command": ["sh", "-c", line]}]}}}}


FORMER = {**deployment(env=[{"name": "MODE", "value": "steady"}]), "kind": "ReplicaSet"}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"db": "postgres://db/shop"}}


@pytest.mark.parametrize(
    ("container", "told"),
    [
        ({"env": [{"name": "MODE", "value": "steady"}]}, []),
        ({"env": [{"name": "DATABASE", "value": "postgres://db/shop"}]}, []),
        ({"env": [{"name": "DATABASE", "value": "postgres://made.up/x"}]}, ["containers[web].env[DATABASE]"]),
        ({"env": [{"name": "MODE", "value": ""}]}, []),
        ({"image": "registry.shop/web:9"}, []),
        ({"image": "registry.shop/web@sha256:00"}, []),
        ({"image": "registry.evil/web:1"}, ["the image registry.evil/web:1 of containers[web]"]),
        ({"image": "web:1"}, ["the image web:1 of containers[web]"]),
    ],
)
def test_values_that_nothing_explains_are_named(container: dict[str, Any], told: list[str]) -> None:
    found = unexplained(web(**container), [WEB], [FORMER, CONFIG])
    assert len(found) == len(told)
    assert all(one.startswith(start) for one, start in zip(found, told, strict=True))


def test_an_invented_value_of_a_config_map_is_named() -> None:
    change = JsonPatch(target=ObjectRef.of(CONFIG), patch=({"op": "add", "path": "/data/db", "value": "made up"},))
    assert unexplained(change_set(change), [CONFIG], [WEB]) == [f"data.db of {ObjectRef.of(CONFIG)}"]


@pytest.mark.parametrize(
    ("api_version", "kind", "namespace"),
    [
        ("rbac.authorization.k8s.io/v1", "Role", "shop"),
        ("v1", "Secret", "shop"),
        ("v1", "Namespace", ""),
        ("policy/v1", "PodDisruptionBudget", "shop"),
        ("example.com/v1", "Deployment", "shop"),
    ],
)
def test_kinds_that_no_trial_covers_are_not_changed(api_version: str, kind: str, namespace: str) -> None:
    assert untriable(ObjectRef(api_version=api_version, kind=kind, name="x", namespace=namespace))
    assert untriable(ObjectRef.of(WEB)) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
FIELDS = st.sampled_from([
    "env", "command", "args", "image", "livenessProbe", "resources", "securityContext", "ports", "volumeMounts",
])  # fmt: skip


@given(st.dictionaries(FIELDS, JSON, max_size=4))
def test_whatever_is_given_is_judged(fields: dict[str, Any]) -> None:
    """A file of a person may hold anything."""
    changes = web(**fields)
    assert isinstance(objections(changes, [WEB]), list)
    assert isinstance(unexplained(changes, [WEB], [FORMER, CONFIG]), list)


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "data"]), JSON, max_size=3))
def test_whatever_replaces_the_whole_is_judged(patch: dict[str, Any]) -> None:
    changes = change_set(Apply(target=ObjectRef.of(WEB), patch=patch))
    assert isinstance(objections(changes, [WEB]), list)
    assert isinstance(unexplained(changes, [WEB], []), list)
