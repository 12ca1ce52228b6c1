"""What volumes hold."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from aegis.localcluster.kubelet.pods.mounting import named_objects
from aegis.localcluster.kubelet.pods.volumes import Empty, File, Kept, VolumeError, content

POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "ns", "uid": "u", "labels": {"a": "b"}},
    "spec": {"containers": [{"name": "c"}]},
}
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    ("configmaps", "cm"): {
        "kind": "ConfigMap",
        "data": {"a": "1"},
        "binaryData": {"z": base64.b64encode(b"\0").decode()},
    },
    ("persistentvolumeclaims", "data"): {"spec": {"volumeName": "disk"}, "status": {"phase": "Bound"}},
    ("persistentvolumeclaims", "early"): {"spec": {}, "status": {"phase": "Pending"}},
    ("secrets", "s"): {"kind": "Secret", "data": {"k": base64.b64encode(b"hush").decode()}},
}


def of(**volume: Any) -> Any:
    found = content(
        volume, POD, lambda resource, name: OBJECTS.get((resource, name)), lambda _pod, audience, _s: f"t:{audience}"
    )
    return found if isinstance(found, Empty | Kept) else {path: (file.data, file.mode) for path, file in found.items()}


def test_config_maps_and_secrets() -> None:
    assert of(configMap={"name": "cm"}) == {"a": (b"1", 0o644), "z": (b"\0", 0o644)}
    assert of(
        configMap={"name": "cm", "defaultMode": 0o400, "items": [{"key": "a", "path": "x/y", "mode": 0o755}]}
    ) == {"x/y": (b"1", 0o755)}
    assert of(secret={"secretName": "s", "defaultMode": 0o400}) == {"k": (b"hush", 0o400)}
    assert of(secret={"secretName": "gone", "optional": True}) == {}


def test_projections_and_the_downward_api() -> None:
    field = {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}
    sources = [
        {"configMap": {"name": "cm", "items": [{"key": "a", "path": "a"}]}},
        {"secret": {"name": "s"}},
        {"downwardAPI": {"items": [field]}},
        {"serviceAccountToken": {"path": "token", "audience": "api", "expirationSeconds": 3600}},
    ]
    found = of(projected={"sources": sources})
    assert {path: data for path, (data, _) in found.items()} == {
        "a": b"1",
        "k": b"hush",
        "labels": b'a="b"',
        "token": b"t:api",
    }


def test_empty_volumes() -> None:
    assert of(emptyDir={}) == Empty()
    assert of(emptyDir={"medium": "Memory", "sizeLimit": "1Mi"}) == Empty(size=1 << 20, in_memory=True)
    assert of(hostPath={"path": "/etc"}) == Empty()


def test_a_claim_is_its_volume() -> None:
    assert of(persistentVolumeClaim={"claimName": "data"}) == Kept(volume="disk")


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ({"configMap": {"name": "gone"}}, 'configmap "gone" not found'),
        ({"secret": {"secretName": "gone"}}, 'secret "gone" not found'),
        ({"configMap": {"name": "cm", "items": [{"key": "q", "path": "q"}]}}, "references non-existent config key: q"),
        (
            {"secret": {"secretName": "s", "items": [{"key": "q", "path": "q"}]}},
            "references non-existent secret key: q",
        ),
        ({"persistentVolumeClaim": {"claimName": "gone"}}, 'persistentvolumeclaim "gone" not found'),
        ({"persistentVolumeClaim": {"claimName": "early"}}, "PVC is not bound"),
        ({"nfs": {}}, "volume plugin for nfs is not part of the local cluster"),
    ],
)
def test_what_is_missing_is_named(volume: dict[str, Any], message: str) -> None:
    with pytest.raises(VolumeError) as caught:
        of(**volume)
    assert str(caught.value) == message


def test_the_objects_that_a_pod_names() -> None:
    spec = {
        "volumes": [
            {"name": "v", "projected": {"sources": [{"configMap": {"name": "a"}}]}},
            {"name": "w", "secret": {"secretName": "b"}},
        ],
        "initContainers": [{"name": "i", "envFrom": [{"configMapRef": {"name": "c"}}]}],
        "containers": [
            {
                "name": "m",
                "env": [
                    {"name": "X", "valueFrom": {"secretKeyRef": {"name": "d", "key": "k"}}},
                    {"name": "Y", "value": "1"},
                ],
            }
        ],
    }
    assert named_objects({"spec": spec}) == {
        ("configmaps", "a"),
        ("secrets", "b"),
        ("configmaps", "c"),
        ("secrets", "d"),
    }


def test_a_file_crosses_the_wire_whole() -> None:
    assert base64.b64decode(File(data=b"\xff\0").to_message()["data"]) == b"\xff\0"
