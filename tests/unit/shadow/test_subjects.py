"""What scanners are given of an arm."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.model.refs import Json, ObjectRef
from aegis.shadow.subjects import LAYERLESS, subjects_of


def workload(namespace: str) -> dict[str, Any]:
    spec = {
        "initContainers": [{"name": "wait", "image": "busybox:1.36"}],
        "containers": [{"name": "web", "image": "nginx:1"}, {"name": "log", "image": "busybox:1.36"}],
        "ephemeralContainers": [{"name": "look", "image": "debug:1"}],
    }
    metadata = {"name": "web", "namespace": namespace, "uid": namespace, "resourceVersion": "7", "labels": {"a": "b"}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
        "spec": {"template": {"spec": spec}}, "status": {"readyReplicas": 1},
    }  # fmt: skip


CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "arm"}, "data": {}}


def test_the_images_of_every_kind_of_container_each_once() -> None:
    found = subjects_of([workload("arm"), CONFIG], namespace="shop", embedded=False)
    assert [one.reference for one in found.images] == ["busybox:1.36", "nginx:1", "debug:1"]
    assert found.images[0].containers == ("Deployment/web initContainers[wait]", "Deployment/web containers[log]")
    assert {one.layerless for one in found.images} == {""}
    embedded = subjects_of([workload("arm")], namespace="shop", embedded=True)
    assert {one.layerless for one in embedded.images} == {LAYERLESS}


def test_equal_objects_of_two_arms_are_one_subject() -> None:
    one, other = (subjects_of([workload(arm)], namespace="shop", embedded=False) for arm in ("arm-r", "arm-c"))
    assert one == other
    [held] = one.manifests.objects
    assert held["metadata"] == {"name": "web", "namespace": "shop", "labels": {"a": "b"}}
    assert "status" not in held


def with_token(kind: str, *, token: bool | None) -> dict[str, Any]:
    said = {} if token is None else {"automountServiceAccountToken": token}
    metadata = {"name": "web", "namespace": "shop"}
    if kind == "ServiceAccount":
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **said}
    template = {"spec": {"containers": [{"name": "web"}], **said}}
    bodies: dict[str, dict[str, Any]] = {
        "Pod": template,
        "CronJob": {"spec": {"jobTemplate": {"spec": {"template": template}}}},
        "Deployment": {"spec": {"template": template}},
    }
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **bodies[kind]}


@pytest.mark.parametrize("kind", ["Deployment", "Pod", "CronJob", "ServiceAccount"])
@pytest.mark.parametrize(
    ("production", "copy", "seen"),
    [
        (None, False, None),
        (None, None, None),
        (False, False, False),
        (False, None, None),
        (True, True, True),
        (None, True, True),
    ],
)
def test_the_token_that_a_shadow_refuses_is_no_change(
    kind: str, production: bool | None, copy: bool | None, seen: bool | None
) -> None:
    original = with_token(kind, token=production)
    known: dict[ObjectRef, Json | None] = {ObjectRef.of(original): original}
    found = subjects_of([with_token(kind, token=copy)], namespace="shop", embedded=False, copied_from=known)
    assert found.manifests.objects == (with_token(kind, token=seen),)
    asked_directly = subjects_of([with_token(kind, token=copy)], namespace="shop", embedded=False)
    assert asked_directly.manifests.objects == (with_token(kind, token=copy),)
