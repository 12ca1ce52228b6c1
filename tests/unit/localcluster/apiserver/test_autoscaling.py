"""Autoscalers in version 1, and back."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.localcluster.apiserver.autoscaling import to_v1, to_v2

targets = st.one_of(
    st.integers(1, 500).map(lambda n: {"type": "Utilization", "averageUtilization": n}),
    st.sampled_from(["64Mi", "100m"]).map(lambda q: {"type": "AverageValue", "averageValue": q}),
)
metrics = st.lists(
    st.one_of(
        st.builds(lambda n, t: {"type": "Resource", "resource": {"name": n, "target": t}}, st.sampled_from(["cpu", "memory"]), targets),
        st.builds(lambda t: {"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "c", "target": t}}, targets),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


def autoscaler(**spec: Any) -> dict[str, Any]:
    reference = {"kind": "Deployment", "name": "web"}
    metadata = {"name": "h", "annotations": {"mine": "kept"}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata,
        "spec": {"scaleTargetRef": reference, "maxReplicas": 3, **spec},
    }


def listed(obj: dict[str, Any]) -> list[str]:
    return sorted(repr(m) for m in obj["spec"].pop("metrics"))


@settings(deadline=None, max_examples=50)
@given(metrics, st.one_of(st.none(), st.just({"scaleDown": {"selectPolicy": "Max"}})))
def test_nothing_is_lost_on_the_way(given: list[Any], behavior: Any) -> None:
    newer = autoscaler(metrics=given, **({"behavior": behavior} if behavior else {}))
    back = to_v2(to_v1(newer))
    assert listed(back) == listed(newer)
    assert back == newer


def test_what_version_1_shows() -> None:
    cpu = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 7, "averageValue": "7m"}}}
    status = {"currentReplicas": 1, "currentMetrics": [cpu], "conditions": [{"type": "AbleToScale"}]}
    shown = to_v1({**autoscaler(), "status": status})
    assert shown["status"] == {"currentReplicas": 1, "currentCPUUtilizationPercentage": 7}
    annotations = shown["metadata"]["annotations"]
    assert '"currentAverageUtilization":7' in annotations["autoscaling.alpha.kubernetes.io/current-metrics"]
    assert "AbleToScale" in annotations["autoscaling.alpha.kubernetes.io/conditions"]


def test_an_annotation_that_is_no_json_says_nothing() -> None:
    broken = {"name": "h", "annotations": {"autoscaling.alpha.kubernetes.io/metrics": "{"}}
    assert to_v2({"metadata": broken, "spec": {"maxReplicas": 1}})["spec"] == {"maxReplicas": 1}
    assert to_v2({"metadata": None})["apiVersion"] == "autoscaling/v2"
