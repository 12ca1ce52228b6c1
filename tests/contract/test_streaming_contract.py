"""exec, attach and port-forward refuse with a Status what they cannot connect."""

from contract_client import Client, until


async def test_streams_need_an_upgrade_a_pod_and_a_command(api: Client, namespace: str) -> None:
    pods = f"/api/v1/namespaces/{namespace}/pods"

    async def default_account() -> bool:
        return await api.status_of(f"/api/v1/namespaces/{namespace}/serviceaccounts/default") == 200

    await until(default_account)
    for subresource in ("exec?command=true&stdout=1", "attach?stdout=1", "portforward"):
        assert (await api.get(f"{pods}/nosuch/{subresource}", expect=404))["reason"] == "NotFound"
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "none"}], "nodeSelector": {"no": "such"}},
    }
    await api.post(pods, pod)
    refused = await api.get(f"{pods}/p/exec?command=true&stdout=1", expect=400)
    assert "does not have a host assigned" in refused["message"]
