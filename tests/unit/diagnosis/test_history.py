from typing import Any

import pytest

from aegis.diagnosis.graph import Graph
from aegis.diagnosis.history import current_revision, good_revisions
from aegis.diagnosis.ties import build
from aegis.evidence.ledger import Ledger


def _template(image: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "web", **labels}}, "spec": {"containers": [{"name": "web", "image": image}]}}


def _graph(
    images: list[str], *, available: tuple[str, str] | None, ready: dict[int, int] | None = None, restarts: int = 0
) -> Graph:
    """A Deployment at its last image; revision n was made at hour n."""
    ledger = Ledger()
    conditions = (
        [{"type": "Available", "status": available[0], "lastTransitionTime": f"2026-01-01T{available[1]}:00Z"}]
        if available
        else []
    )
    ledger.object({
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"template": _template(images[-1])},
        "status": {"conditions": conditions},
    })  # fmt: skip
    for number, image in enumerate(images, 1):
        ledger.object({
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"web-{number}",
                "namespace": "shop",
                "creationTimestamp": f"2026-01-01T0{number}:00:00Z",
                "annotations": {"deployment.kubernetes.io/revision": str(number)},
                "ownerReferences": [{"kind": "Deployment", "name": "web", "controller": True}],
            },
            "spec": {"template": _template(image, **{"pod-template-hash": str(number)})},
        })  # fmt: skip
        for index in range((ready or {}).get(number, 0)):
            ledger.object({
                "kind": "Pod",
                "metadata": {
                    "name": f"web-{number}-{index}",
                    "namespace": "shop",
                    "ownerReferences": [{"kind": "ReplicaSet", "name": f"web-{number}", "controller": True}],
                },
                "spec": {"containers": [{"name": "web"}]},
                "status": {
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "containerStatuses": [{"name": "web", "ready": True, "restartCount": restarts}],
                },
            })  # fmt: skip
    return build(ledger.evidence())


def _good(graph: Graph) -> list[tuple[str, str]]:
    web = graph.get("Deployment", "shop", "web")
    assert web is not None
    return [(revision.node.ref.name, revision.standing) for revision in good_revisions(graph, web)]


def test_the_current_revision_is_the_one_with_the_same_template() -> None:
    graph = _graph(["a", "b", "a"], available=None)
    web = graph.get("Deployment", "shop", "web")
    assert web is not None
    found = current_revision(graph, web)

    assert found is not None
    assert found.node.ref.name == "web-3"


@pytest.mark.parametrize(
    ("why", "available", "ready", "restarts", "expected"),
    [
        ("pods of the one before are ready", ("False", "09:00"), {1: 2}, 0, [("web-1", "proven")]),
        ("ready pods that restart prove nothing", None, {1: 2}, 3, []),
        ("it was available when it was replaced, and is", ("True", "01:30"), {}, 0, [("web-1", "proven")]),
        ("it was available until after the change", ("False", "02:30"), {}, 0, [("web-1", "presumed")]),
        ("it was never available", ("False", "00:00"), {}, 0, []),
        ("nothing is known", None, {}, 0, []),
    ],
)
def test_what_counts_as_good(
    why: str, available: tuple[str, str] | None, ready: dict[int, int], restarts: int, expected: list[tuple[str, str]]
) -> None:
    assert _good(_graph(["a", "b"], available=available, ready=ready, restarts=restarts)) == expected, why


def test_a_revision_made_after_the_last_good_time_was_never_good() -> None:
    """good, then two that never worked: the middle one is no way back."""
    assert _good(_graph(["good", "bad", "worse"], available=("False", "01:30"))) == [("web-1", "presumed")]


def test_the_proven_come_before_the_presumed() -> None:
    graph = _graph(["a", "b", "c"], available=("False", "03:30"), ready={1: 1})

    assert _good(graph) == [("web-1", "proven"), ("web-2", "presumed")]
