"""Changes in short become changes that are really made, or are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.errors import UsageError
from aegis.model.changes import Apply
from aegis.model.refs import ObjectRef
from aegis.shadow.shorthand import KEYS, changes_of

WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")


def workload(*containers: tuple[str, str], kind: str = "Deployment") -> dict[str, Any]:
    spec = {"containers": [{"name": name, "image": image} for name, image in containers]}
    at: dict[str, Any] = {"template": {"spec": spec}}
    if kind == "CronJob":
        at = {"jobTemplate": {"spec": at}}
    return {
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web", "namespace": "shop"},
        "spec": spec if kind == "Pod" else at,
    }  # fmt: skip


ONE = workload(("web", "registry:5000/nginx:1.27"))
TWO = workload(("web", "registry:5000/nginx:1.27"), ("proxy", "envoy:1"))


def patch_of(wanted: dict[str, Any], live: dict[str, Any] = ONE, target: ObjectRef = WEB) -> Any:
    [change] = changes_of(target, live, wanted)
    assert isinstance(change, Apply)
    assert change.target == target
    return change.patch


def test_parts_of_one_workload_are_one_change() -> None:
    limits = {"limits": {"memory": "64Mi"}, "requests": {"cpu": "10m"}}
    wanted = {"image": "nginx:2", "replicas": 2, "env": {"MODE": "live", "PORT": 80}, "resources": limits}
    container = {
        "name": "web",
        "image": "nginx:2",
        "env": [{"name": "MODE", "value": "live"}, {"name": "PORT", "value": "80"}],
        "resources": limits,
    }
    assert patch_of(wanted) == {"spec": {"replicas": 2, "template": {"spec": {"containers": [container]}}}}


@pytest.mark.parametrize(
    ("kind", "version", "way"),
    [("Pod", "v1", ("spec",)), ("CronJob", "batch/v1", ("spec", "jobTemplate", "spec", "template", "spec"))],
)
def test_the_change_is_where_the_kind_has_its_pods(kind: str, version: str, way: tuple[str, ...]) -> None:
    target = ObjectRef(api_version=version, kind=kind, name="web", namespace="shop")
    found = patch_of({"image": "nginx:2"}, workload(("web", "nginx:1"), kind=kind), target)
    for key in way:
        found = found[key]
    assert found == {"containers": [{"name": "web", "image": "nginx:2"}]}


def test_the_container_is_named_or_told_by_its_repository() -> None:
    def name(wanted: dict[str, Any]) -> str:
        return str(patch_of(wanted, TWO)["spec"]["template"]["spec"]["containers"][0]["name"])

    assert name({"image": "registry:5000/nginx:2@sha256:aa"}) == "web"
    assert name({"env": {"A": "b"}, "container": "proxy"}) == "proxy"
    for unclear in ({"image": "caddy:2"}, {"env": {"A": "b"}}, {"image": "envoy:2", "container": "nobody"}):
        with pytest.raises(UsageError, match="which container"):
            changes_of(WEB, TWO, unclear)


def test_manifests_are_applied_whole_without_what_the_server_sets() -> None:
    text = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, uid: x, resourceVersion: "7", labels: {a: b}}
data: {mode: live}
---
apiVersion: v1
kind: List
items:
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {replicas: 2}, status: {a: 1}}
"""
    config, web = changes_of(WEB, ONE, {"manifests": text})
    assert isinstance(config, Apply)
    assert isinstance(web, Apply)
    assert (config.target.kind, config.target.namespace) == ("ConfigMap", "shop")
    assert config.patch == {"data": {"mode": "live"}, "metadata": {"labels": {"a": "b"}}}
    assert (web.target, web.patch) == (WEB, {"spec": {"replicas": 2}})


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"imagee": "x"}, "'imagee' is no change that is known"),
        ({"replicas": "2"}, "whole number"),
        ({"replicas": True}, "whole number"),
        ({"replicas": -1}, "whole number"),
        ({"image": ""}, "image is a text"),
        ({"env": "A=b"}, "env is a mapping"),
        ({"env": {"A": True}}, "env.A is a text"),
        ({"env": {"A": None}}, "env.A is a text"),
        ({"env": [{"value": "b"}]}, "has no name"),
        ({"resources": {"memory": "64Mi"}}, "limits and requests"),
        ({"container": "web"}, "nothing is"),
        ({"manifests": 7}, "objects or YAML"),
        ({"manifests": {"kind": "ConfigMap"}}, "no kind or no name"),
        ({"manifests": "kind: A\nkind: B\n"}, "stands twice"),
        ({"replicas": 2, "manifests": ONE}, "changed twice"),
    ],
)
def test_what_is_not_understood_is_refused_and_never_passed_over(wanted: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        changes_of(WEB, ONE, wanted)


def test_a_kind_without_replicas_has_none() -> None:
    target = ObjectRef(api_version="batch/v1", kind="Job", name="web", namespace="shop")
    with pytest.raises(UsageError, match="has no replicas"):
        changes_of(target, ONE, {"replicas": 2})


def test_nothing_is_no_change() -> None:
    assert changes_of(WEB, ONE, {}) == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(KEYS), json_values, min_size=1))
def test_whatever_is_given_is_changed_or_refused(wanted: dict[str, Any]) -> None:
    try:
        made = changes_of(WEB, ONE, wanted)
    except UsageError:
        return
    assert made or wanted.get("manifests") in (None, "", []) or set(wanted) == {"manifests"}
