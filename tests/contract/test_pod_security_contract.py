"""Pod Security admission by the labels of a namespace."""

from typing import Any

import pytest
from contract_client import Client, deployment, deployments, pods, until

ENFORCE, WARN = "pod-security.kubernetes.io/enforce", "pod-security.kubernetes.io/warn"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
WORDS = (
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), '
    'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), '
    'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), '
    'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
)


def pod(name: str = "p", context: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "c", "image": "busybox:1.36", "command": ["sleep", "3600"]}
    if context:
        container["securityContext"] = context
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], **spec},
    }


async def labelled(api: Client, namespace: str, **labels: str) -> None:
    """Label a namespace in which pods can be admitted."""

    async def account() -> bool:
        return await api.status_of(f"/api/v1/namespaces/{namespace}/serviceaccounts/default") == 200

    await until(account)
    named = {f"pod-security.kubernetes.io/{k.replace('_', '-')}": v for k, v in labels.items()}
    await api.merge(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": named}})


async def test_what_a_level_forbids_is_refused(api: Client, namespace: str) -> None:
    await labelled(api, namespace, enforce="restricted")
    refused = await api.post(pods(namespace), pod(), expect=403)
    assert refused["reason"] == "Forbidden"
    assert refused["message"] == f'pods "p" is forbidden: violates PodSecurity "restricted:latest": {WORDS}'
    await api.post(pods(namespace), pod(context=RESTRICTED))
    await api.get(f"{pods(namespace)}/p")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"hostNetwork": True}, "host namespaces (hostNetwork=true)"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, 'hostPath volumes (volume "v")'),
        (
            {"context": {"privileged": True}},
            'privileged (container "c" must not set securityContext.privileged=true)',
        ),
        (
            {"context": {"capabilities": {"add": ["NET_ADMIN"]}}},
            'non-default capabilities (container "c" must not include "NET_ADMIN" in securityContext.capabilities.add)',
        ),
        (
            {"context": {"seccompProfile": {"type": "Unconfined"}}},
            'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
        ),
    ],
)
async def test_what_baseline_forbids(api: Client, namespace: str, wrong: dict[str, Any], words: str) -> None:
    await labelled(api, namespace, enforce="baseline", enforce_version="v1.36")
    refused = await api.post(pods(namespace), pod(**wrong), expect=403)
    assert refused["message"] == f'pods "p" is forbidden: violates PodSecurity "baseline:v1.36": {words}'


async def test_an_ordinary_pod_is_baseline(api: Client, namespace: str) -> None:
    await labelled(api, namespace, enforce="baseline")
    await api.post(pods(namespace), pod())


async def test_a_level_may_only_warn(api: Client, namespace: str) -> None:
    await labelled(api, namespace, warn="restricted")
    warnings = await api.warnings("POST", pods(namespace), pod())
    assert warnings == [f'would violate PodSecurity "restricted:latest": {WORDS}']


async def test_a_workload_warns_of_what_its_pods_will_meet(api: Client, namespace: str) -> None:
    await labelled(api, namespace, enforce="restricted", warn="restricted")
    wanted = deployment(replicas=1)
    wanted["spec"]["template"]["spec"]["containers"] = pod()["spec"]["containers"]
    assert await api.warnings("POST", deployments(namespace), wanted) == [
        f'would violate PodSecurity "restricted:latest": {WORDS}'
    ]

    async def failed() -> list[str]:
        events = (await api.get(f"/api/v1/namespaces/{namespace}/events"))["items"]
        return [e["message"] for e in events if e["reason"] == "FailedCreate"]

    assert 'violates PodSecurity "restricted:latest"' in (await until(failed))[0]
    assert (await api.get(pods(namespace)))["items"] == []


async def test_a_stricter_level_tells_of_the_pods_that_are_there(api: Client, namespace: str) -> None:
    await labelled(api, namespace)
    await api.post(pods(namespace), pod(hostNetwork=True))
    change = {"metadata": {"labels": {ENFORCE: "baseline"}}}
    warnings = await api.warnings("PATCH", f"/api/v1/namespaces/{namespace}", change)
    assert warnings == [
        f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "baseline:latest"',
        "p: host namespaces",
    ]


async def test_labels_that_make_no_sense_are_refused(api: Client, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    for labels in ({ENFORCE: "strict"}, {WARN: "restricted", f"{WARN}-version": "newest"}):
        refused = await api.merge(path, {"metadata": {"labels": labels}}, expect=422)
        assert refused["reason"] == "Invalid"
