from collections.abc import Callable

from contract_client import Client, config_map, config_maps, until

RBAC = "rbac.authorization.k8s.io"


async def test_bad_token_401(as_token: Callable[[str], Client]) -> None:
    status = await as_token("nope").get("/api/v1/namespaces", expect=401)
    assert status["reason"] == "Unauthorized"


async def test_ssar(api: Client, namespace: str) -> None:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"namespace": namespace, "verb": "create", "resource": "configmaps"}},
    }
    answered = await api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert answered["status"]["allowed"] is True


async def test_rbac(api: Client, as_token: Callable[[str], Client], namespace: str) -> None:
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"

    async def default_account() -> bool:
        return await api.status_of(accounts + "/default") == 200

    await until(default_account)
    await api.post(accounts, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bot"}})
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = (await api.post(accounts + "/bot/token", request))["status"]["token"]
    bot = as_token(token)
    assert (await bot.get(config_maps(namespace), expect=403))["reason"] == "Forbidden"
    await grant(api, namespace)

    async def may_list() -> bool:
        return await bot.status_of(config_maps(namespace)) == 200

    await until(may_list)
    await bot.post(config_maps(namespace), config_map(), expect=403)


async def grant(api: Client, namespace: str) -> None:
    role = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": {"name": "r"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}],
    }
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "r"},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "bot", "namespace": namespace}],
    }
    await api.post(f"/apis/{RBAC}/v1/namespaces/{namespace}/roles", role)
    await api.post(f"/apis/{RBAC}/v1/namespaces/{namespace}/rolebindings", binding)


async def test_impersonation(api: Client, namespace: str) -> None:
    headers = {"Impersonate-User": "mallory"}
    status = await api.call("GET", config_maps(namespace), expect=403, headers=headers)
    assert status["reason"] == "Forbidden"


async def test_who_am_i(api: Client) -> None:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answered = await api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    assert answered["status"]["userInfo"]["username"]


async def test_token_review(api: Client, namespace: str) -> None:
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    await api.post(accounts, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "bot"}})
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = (await api.post(accounts + "/bot/token", request))["status"]["token"]
    reviews = "/apis/authentication.k8s.io/v1/tokenreviews"

    def review(text: str) -> dict[str, object]:
        return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": text}}

    status = (await api.post(reviews, review(token)))["status"]
    assert status["authenticated"] is True
    assert status["user"]["username"] == f"system:serviceaccount:{namespace}:bot"
    assert not (await api.post(reviews, review(token + "x")))["status"].get("authenticated")
