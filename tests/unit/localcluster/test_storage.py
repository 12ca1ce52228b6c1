"""Which volume fits which claim."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.localcluster.storage import best, claims_of, default_class, refers, waits_for_consumer


def volume(name: str = "v", size: str = "1Gi", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": spec.pop("labels", {}), **spec.pop("metadata", {})}
    return {"metadata": metadata, "spec": {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], **spec}}


def claim(size: str = "1Gi", **spec: Any) -> dict[str, Any]:
    wanted = {"resources": {"requests": {"storage": size}}, "accessModes": ["ReadWriteOnce"], **spec}
    return {"metadata": {"name": "c", "namespace": "d", "uid": "u"}, "spec": wanted}


def reference(**more: str) -> dict[str, str]:
    return {"namespace": "d", "name": "c", **more}


@pytest.mark.parametrize(
    ("one", "wanted", "fits"),
    [
        (volume(), claim(), True),
        (volume(size="500Mi"), claim(), False),
        (volume(storageClassName="fast"), claim(), False),
        (volume(storageClassName="fast"), claim(storageClassName="fast"), True),
        (volume(volumeMode="Block"), claim(), False),
        (volume(), claim(accessModes=["ReadWriteMany"]), False),
        (volume(accessModes=["ReadWriteOnce", "ReadWriteMany"]), claim(accessModes=["ReadWriteMany"]), True),
        (volume(labels={"a": "b"}), claim(selector={"matchLabels": {"a": "b"}}), True),
        (volume(), claim(selector={"matchLabels": {"a": "b"}}), False),
        (volume(labels={"a": "b"}), claim(selector={"matchExpressions": [{"key": "a", "operator": "Odd"}]}), False),
        (volume(claimRef=reference(uid="other")), claim(), False),
        (volume(size="1Mi", claimRef=reference()), claim(), True),  # kept free for this very claim
        (volume(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), claim(), False),
        (volume(size="nonsense"), claim(), False),
    ],
)
def test_what_fits(one: dict[str, Any], wanted: dict[str, Any], *, fits: bool) -> None:
    assert (best([one], wanted) is not None) is fits


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 50), max_size=8), st.integers(1, 50))
def test_the_smallest_that_is_large_enough(sizes: list[int], wanted: int) -> None:
    found = best([volume(f"v{n}", f"{size}Gi") for n, size in enumerate(sizes)], claim(f"{wanted}Gi"))
    enough = [size for size in sizes if size >= wanted]
    assert (found["spec"]["capacity"]["storage"] if found else None) == (f"{min(enough)}Gi" if enough else None)


def test_a_volume_of_a_former_claim_of_the_same_name_is_not_ours() -> None:
    assert refers(volume(claimRef=reference(uid="u")), claim())
    assert not refers(volume(claimRef=reference(uid="before")), claim())


def storage_class(name: str, *, default: str = "true", created: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    annotations = {"storageclass.kubernetes.io/is-default-class": default}
    return {"metadata": {"name": name, "annotations": annotations, "creationTimestamp": created}}


def test_the_default_class_is_the_youngest_that_is_marked() -> None:
    assert default_class([]) is None
    assert default_class([storage_class("a", default="false")]) is None
    assert default_class([storage_class("b"), storage_class("a")]) == "a"
    assert default_class([storage_class("a"), storage_class("b", created="2026-01-02T00:00:00Z")]) == "b"


def test_small_questions() -> None:
    assert waits_for_consumer({"volumeBindingMode": "WaitForFirstConsumer"})
    assert not waits_for_consumer(None)
    volumes = [{"name": "a", "emptyDir": {}}, {"name": "b", "persistentVolumeClaim": {"claimName": "c"}}]
    assert claims_of({"spec": {"volumes": volumes}}) == ["c"]
