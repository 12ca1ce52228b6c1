from typing import Any

import pytest
from api_calls import Api

from aegis.localcluster.apiserver.refusals import Invalid

LABELS = {"app": "w"}


def deployment(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "c", "image": "nginx:1.27", **(container or {})}]}
    template = {"metadata": {"labels": LABELS}, "spec": pod}
    return {"metadata": {"name": "w"}, "spec": {"selector": {"matchLabels": LABELS}, "template": template, **spec}}


def refused(api: Api, resource: str, body: dict[str, Any]) -> list[str]:
    with pytest.raises(Invalid) as fault:
        api.call("create", resource, None, body, query={"dryRun": "All"})
    return [c.field for c in fault.value.causes]


CONTAINER = "spec.template.spec.containers[0]"


@pytest.mark.parametrize(
    ("container", "field"),
    [
        ({"name": "Bad_Name"}, f"{CONTAINER}.name"),
        ({"image": ""}, f"{CONTAINER}.image"),
        ({"imagePullPolicy": "Sometimes"}, f"{CONTAINER}.imagePullPolicy"),
        ({"ports": [{"containerPort": 99999}]}, f"{CONTAINER}.ports[0].containerPort"),
        ({"env": [{"name": "A=B"}]}, f"{CONTAINER}.env[0].name"),
        ({"env": [{"name": "A", "valueFrom": {}}]}, f"{CONTAINER}.env[0].valueFrom"),
        ({"resources": {"limits": {"memory": "64Zi"}}}, f"{CONTAINER}.resources.limits.memory"),
        ({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}, f"{CONTAINER}.resources.requests"),
        ({"livenessProbe": {"periodSeconds": 5}}, f"{CONTAINER}.livenessProbe"),
        (
            {"livenessProbe": {"httpGet": {"port": 80}, "successThreshold": 2}},
            f"{CONTAINER}.livenessProbe.successThreshold",
        ),
        ({"readinessProbe": {"tcpSocket": {"port": "no_such"}}}, f"{CONTAINER}.readinessProbe.tcpSocket.port"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/x"}]}, f"{CONTAINER}.volumeMounts[0].name"),
        ({"securityContext": {"runAsUser": -1}}, f"{CONTAINER}.securityContext.runAsUser"),
    ],
)
def test_containers(api: Api, container: dict[str, Any], field: str) -> None:
    assert field in refused(api, "deployments.apps", deployment(container))


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"replicas": -1}, "spec.replicas"),
        ({"selector": {"matchLabels": {"other": "x"}}}, "spec.template.metadata.labels"),
        ({"selector": {}}, "spec.selector"),
        ({"strategy": {"type": "Teleport"}}, "spec.strategy.type"),
        (
            {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
            "spec.strategy.rollingUpdate.maxUnavailable",
        ),
        ({"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}}, "spec.strategy.rollingUpdate"),
        ({"progressDeadlineSeconds": 5, "minReadySeconds": 5}, "spec.progressDeadlineSeconds"),
    ],
)
def test_deployments(api: Api, spec: dict[str, Any], field: str) -> None:
    assert field in refused(api, "deployments.apps", deployment(**spec))


@pytest.mark.parametrize(
    ("resource", "body", "field"),
    [
        ("services", {"spec": {"ports": [{"port": 80}, {"port": 81}]}}, "spec.ports[0].name"),
        ("services", {"spec": {}}, "spec.ports"),
        ("secrets", {"data": {"a": "not base64!"}}, "data[a]"),
        ("secrets", {"type": "kubernetes.io/tls"}, "data[tls.crt]"),
        ("configmaps", {"data": {"a b": "x"}}, "data[a b]"),
        ("resourcequotas", {"spec": {"hard": {"pods": "-1"}}}, "spec.hard[pods]"),
        (
            "jobs.batch",
            {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}},
            "spec.template.spec.restartPolicy",
        ),
        ("cronjobs.batch", {"spec": {"schedule": "61 * * * *", "jobTemplate": {}}}, "spec.schedule"),
        ("roles.rbac.authorization.k8s.io", {"rules": [{"verbs": ["get"]}]}, "rules[0].apiGroups"),
        ("rolebindings.rbac.authorization.k8s.io", {"roleRef": {"kind": "Role"}}, "roleRef.name"),
        ("poddisruptionbudgets.policy", {"spec": {"minAvailable": 1, "maxUnavailable": 1}}, "spec"),
    ],
)
def test_other_kinds(api: Api, resource: str, body: dict[str, Any], field: str) -> None:
    assert field in refused(api, resource, {"metadata": {"name": "x"}, **body})


@pytest.mark.parametrize("schedule", ["*/5 * * * *", "0 0 1 jan mon-fri", "@hourly", "@every 1h30m", "0,30 8-17 * * 1"])
def test_good_schedules(api: Api, schedule: str) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
    spec = {"schedule": schedule, "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    api.call("create", "cronjobs.batch", None, {"metadata": {"name": "x"}, "spec": spec}, query={"dryRun": "All"})


def test_a_stateful_sets_containers_mount_its_claims(api: Api) -> None:
    def stateful_set(mounted: str) -> dict[str, Any]:
        mounts = [{"name": mounted, "mountPath": "/data"}]
        pod = {"containers": [{"name": "c", "image": "i", "volumeMounts": mounts}]}
        template = {"metadata": {"labels": {"a": "b"}}, "spec": pod}
        claims = [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]
        selector = {"matchLabels": {"a": "b"}}
        spec = {"serviceName": "s", "selector": selector, "template": template, "volumeClaimTemplates": claims}
        return {"metadata": {"name": "s"}, "spec": spec}

    api.call("create", "statefulsets.apps", None, stateful_set("data"), query={"dryRun": "All"})
    refusal = refused(api, "statefulsets.apps", stateful_set("other"))
    assert "spec.template.spec.containers[0].volumeMounts[0].name" in refusal
