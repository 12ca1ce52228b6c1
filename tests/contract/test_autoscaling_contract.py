"""HorizontalPodAutoscalers: defaults, both versions, and what is said where nothing can be measured."""

from typing import Any

import pytest
from contract_client import Client, deployment, deployments, until


def autoscalers(namespace: str, version: str = "v2") -> str:
    return f"/apis/autoscaling/{version}/namespaces/{namespace}/horizontalpodautoscalers"


def autoscaler(name: str = "h", target: str = "web", **spec: Any) -> dict[str, Any]:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": reference, "maxReplicas": 4, **spec},
    }


async def condition(api: Client, namespace: str, kind: str, name: str = "h") -> dict[str, Any]:
    """A condition of an autoscaler, once it has it."""

    async def found() -> dict[str, Any]:
        status = (await api.get(f"{autoscalers(namespace)}/{name}")).get("status") or {}
        (one,) = [c for c in status.get("conditions") or () if c["type"] == kind]
        return dict(one)

    async def there() -> dict[str, Any]:
        try:
            return await found()
        except ValueError:
            return {}

    return await until(there, seconds=60)


async def test_defaults(api: Client, namespace: str) -> None:
    made = await api.post(
        autoscalers(namespace), autoscaler(behavior={"scaleDown": {"stabilizationWindowSeconds": 60}})
    )
    spec = made["spec"]
    assert spec["minReplicas"] == 1
    assert spec["metrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
    ]
    assert spec["behavior"] == {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15},
            ],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": 60,
            "selectPolicy": "Max",
            "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
        },
    }


@pytest.mark.parametrize(
    "spec",
    [
        {"minReplicas": 5},
        {"maxReplicas": 0},
        {"metrics": [{"type": "Resource"}]},
        {"metrics": [{"type": "Strange"}]},
        {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}]},
        {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 3601}}},
        {"behavior": {"scaleUp": {"policies": []}}},
        {"behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 0, "periodSeconds": 15}]}}},
        {"behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 1801}]}}},
        {"behavior": {"scaleDown": {"selectPolicy": "Sometimes"}}},
    ],
)
async def test_what_makes_no_sense_is_refused(api: Client, namespace: str, spec: dict[str, Any]) -> None:
    refused = await api.post(autoscalers(namespace), autoscaler(**spec), expect=422)
    assert refused["reason"] == "Invalid"


async def test_a_target_that_is_not_there(api: Client, namespace: str) -> None:
    await api.post(autoscalers(namespace), autoscaler())
    found = await condition(api, namespace, "AbleToScale")
    assert (found["status"], found["reason"]) == ("False", "FailedGetScale")
    assert 'deployments.apps "web" not found' in found["message"]


async def test_pods_that_request_nothing_are_not_scaled(api: Client, namespace: str) -> None:
    wanted = deployment(replicas=2)
    wanted["spec"]["template"]["spec"]["containers"] = [{"name": "c", "image": "nginx:1.27"}]
    await api.post(deployments(namespace), wanted)
    await api.post(autoscalers(namespace), autoscaler())
    found = await condition(api, namespace, "ScalingActive")
    assert (found["status"], found["reason"]) == ("False", "FailedGetResourceMetric")
    assert (await condition(api, namespace, "AbleToScale"))["reason"] == "SucceededGetScale"
    assert (await api.get(f"{deployments(namespace)}/web"))["spec"]["replicas"] == 2


async def test_a_size_outside_of_the_limits_is_brought_within(api: Client, namespace: str) -> None:
    await api.post(deployments(namespace), deployment(replicas=1))
    await api.post(autoscalers(namespace), autoscaler(minReplicas=2))

    async def scaled() -> bool:
        return bool((await api.get(f"{deployments(namespace)}/web"))["spec"]["replicas"] == 2)

    await until(scaled, seconds=60)
    found = await condition(api, namespace, "AbleToScale")
    assert found["status"] == "True"


async def test_a_target_of_no_replicas_is_left_alone(api: Client, namespace: str) -> None:
    await api.post(deployments(namespace), deployment(replicas=0))
    await api.post(autoscalers(namespace), autoscaler())
    found = await condition(api, namespace, "ScalingActive")
    assert (found["status"], found["reason"]) == ("False", "ScalingDisabled")


async def test_the_older_version_shows_the_same(api: Client, namespace: str) -> None:
    older = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"},
        "spec": {**autoscaler()["spec"], "targetCPUUtilizationPercentage": 50},
    }
    made = await api.post(autoscalers(namespace, "v1"), older)
    assert (made["apiVersion"], made["spec"]["targetCPUUtilizationPercentage"]) == ("autoscaling/v1", 50)
    newer = await api.get(f"{autoscalers(namespace)}/h")
    assert newer["spec"]["metrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    ]
    change = {"spec": {"targetCPUUtilizationPercentage": 60, "maxReplicas": 7}}
    await api.merge(f"{autoscalers(namespace, 'v1')}/h", change)
    newer = await api.get(f"{autoscalers(namespace)}/h")
    assert newer["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 60
    assert newer["spec"]["maxReplicas"] == 7
    memory = {"name": "memory", "target": {"type": "AverageValue", "averageValue": "64Mi"}}
    newer["spec"]["metrics"].append({"type": "Resource", "resource": memory})
    await api.put(f"{autoscalers(namespace)}/h", {**newer, "metadata": {"name": "h"}})
    shown = await api.get(f"{autoscalers(namespace, 'v1')}/h")
    assert shown["spec"]["targetCPUUtilizationPercentage"] == 60
    assert "64Mi" in shown["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"]
    await api.merge(f"{autoscalers(namespace, 'v1')}/h", {"metadata": {"labels": {"a": "b"}}})
    kept = await api.get(f"{autoscalers(namespace)}/h")
    assert [m["resource"]["name"] for m in kept["spec"]["metrics"]] == ["memory", "cpu"] or [
        m["resource"]["name"] for m in kept["spec"]["metrics"]
    ] == ["cpu", "memory"]
    assert "autoscaling.alpha.kubernetes.io/metrics" not in (kept["metadata"].get("annotations") or {})
