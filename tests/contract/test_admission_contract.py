from typing import Any

from contract_client import Client, deployments, pods, until


def pod(name: str = "p", **spec: object) -> dict[str, Any]:
    containers = [{"name": "c", "image": "busybox:1.36", "command": ["sleep", "3600"]}]
    metadata = {"name": name}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": containers, **spec}}


async def with_default_account(api: Client, namespace: str) -> None:
    """Wait until pods can be admitted in a new namespace."""

    async def there() -> bool:
        return await api.status_of(f"/api/v1/namespaces/{namespace}/serviceaccounts/default") == 200

    await until(there)


async def test_services_get_an_address(api: Client, namespace: str) -> None:
    collection = f"/api/v1/namespaces/{namespace}/services"
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    body["spec"] = {"ports": [{"port": 80}], "selector": {"a": "b"}}
    spec = (await api.post(collection, body))["spec"]
    assert spec["clusterIP"] == spec["clusterIPs"][0]
    assert spec["ports"][0]["targetPort"] == 80
    await api.merge(collection + "/s", {"spec": {"clusterIP": "10.1.1.1"}}, expect=422)


async def test_limit_range_defaults(api: Client, namespace: str) -> None:
    item = {"type": "Container", "default": {"memory": "64Mi"}, "defaultRequest": {"memory": "32Mi"}}
    body = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l"}, "spec": {"limits": [item]}}
    await api.post(f"/api/v1/namespaces/{namespace}/limitranges", body)
    await with_default_account(api, namespace)

    async def completed() -> bool:
        made = await api.post(pods(namespace), pod(), dryRun="All")
        resources = made["spec"]["containers"][0]["resources"]
        return bool(resources == {"limits": {"memory": "64Mi"}, "requests": {"memory": "32Mi"}})

    await until(completed)


async def test_unknown_service_account(api: Client, namespace: str) -> None:
    status = await api.post(pods(namespace), pod(serviceAccountName="nobody"), expect=403)
    assert "nobody" in status["message"]


async def test_most_of_a_pod_is_immutable(api: Client, namespace: str) -> None:
    await with_default_account(api, namespace)
    await api.post(pods(namespace), pod(nodeSelector={"no-such": "node"}))
    patch = {"spec": {"containers": [{"name": "c", "command": ["true"]}]}}
    status = await api.strategic(pods(namespace) + "/p", patch, expect=422)
    assert status["reason"] == "Invalid"
    image = {"spec": {"containers": [{"name": "c", "image": "busybox:1.35"}]}}
    patched = await api.strategic(pods(namespace) + "/p", image)
    assert patched["spec"]["containers"][0]["image"] == "busybox:1.35"


async def test_a_deployments_selector_is_immutable(api: Client, namespace: str) -> None:
    labels = {"app": "w"}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}}
    spec["template"] = {"metadata": {"labels": labels}, "spec": pod()["spec"]}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w"}, "spec": spec}
    await api.post(deployments(namespace), body)
    moved = {"spec": {"selector": {"matchLabels": {"app": "x"}}, "template": {"metadata": {"labels": {"app": "x"}}}}}
    await api.merge(deployments(namespace) + "/w", moved, expect=422)


async def test_secrets_take_text(api: Client, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}
    created = await api.post(f"/api/v1/namespaces/{namespace}/secrets", body)
    assert created["data"] == {"a": "Yg=="}
    assert created["type"] == "Opaque"
    assert "stringData" not in created


async def test_nobody_grants_what_they_do_not_hold(api: Client, namespace: str) -> None:
    rbac = "rbac.authorization.k8s.io"
    base = f"/apis/{rbac}/v1/namespaces/{namespace}"
    rule = {"apiGroups": [rbac], "resources": ["roles"], "verbs": ["create"]}
    role = {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": {"name": "r"}, "rules": [rule]}
    binding = {
        "apiVersion": f"{rbac}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "r"},
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "r"},
        "subjects": [{"apiGroup": rbac, "kind": "User", "name": "mallory"}],
    }
    await api.post(base + "/roles", role)
    await api.post(base + "/rolebindings", binding)
    as_mallory = {"Impersonate-User": "mallory"}

    async def may_grant_what_she_holds() -> bool:
        held = {**role, "metadata": {"generateName": "held-"}}
        answer = await api.call("POST", base + "/roles", held, expect="any", headers=as_mallory)
        return bool(answer["kind"] == "Role")

    await until(may_grant_what_she_holds)
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    more = {**role, "metadata": {"name": "more"}, "rules": [secrets]}
    status = await api.call("POST", base + "/roles", more, expect=403, headers=as_mallory)
    assert "attempting to grant" in status["message"]
