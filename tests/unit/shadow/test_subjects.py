"""What scanners are given of an arm."""

from __future__ import annotations

from typing import Any

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
    assert {one.layerless for one in found.images} == {""}
    embedded = subjects_of([workload("arm")], namespace="shop", embedded=True)
    assert {one.layerless for one in embedded.images} == {LAYERLESS}


def test_equal_objects_of_two_arms_are_one_subject() -> None:
    one, other = (subjects_of([workload(arm)], namespace="shop", embedded=False) for arm in ("arm-r", "arm-c"))
    assert one == other
    [held] = one.manifests.objects
    assert held["metadata"] == {"name": "web", "namespace": "shop", "labels": {"a": "b"}}
    assert "status" not in held
