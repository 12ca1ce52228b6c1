"""The last good revision, out of plain objects."""

from typing import Any

from aegis.diagnosis.lastgood import last_good


def made(kind: str, name: str, image: str, **metadata: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop", **metadata},
        "spec": {"template": template},
    }


def revision(number: int, image: str, owner: str = "web") -> dict[str, Any]:
    owners = [{"kind": "Deployment", "name": owner, "controller": True}]
    annotations = {"deployment.kubernetes.io/revision": str(number)}
    created = f"2026-01-01T0{number}:00:00Z"
    return made(
        "ReplicaSet",
        f"{owner}-{number}",
        image,
        annotations=annotations,
        ownerReferences=owners,
        creationTimestamp=created,
    )


def ready(number: int) -> dict[str, Any]:
    owners = [{"kind": "ReplicaSet", "name": f"web-{number}", "controller": True}]
    status = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "web", "ready": True, "restartCount": 0}],
    }
    metadata = {"name": f"web-{number}-0", "namespace": "shop", "ownerReferences": owners}
    spec = {"containers": [{"name": "web"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def test_the_revision_whose_pods_are_ready() -> None:
    found = last_good(made("Deployment", "web", "broken"), [revision(1, "old"), revision(2, "broken"), ready(1)])
    assert found is not None
    assert found[0]["spec"]["containers"][0]["image"] == "old"
    assert "ReplicaSet web-1" in found[1]


def test_what_belongs_to_others_is_no_past_of_this_one() -> None:
    assert last_good(made("Deployment", "web", "broken"), [revision(1, "old", "api"), revision(2, "broken")]) is None
