"""What a Job's podFailurePolicy makes of pods that fail."""

from typing import Any

from contract_client import Client, pods, until


def jobs(namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"


def job(script: str, *rules: dict[str, Any], **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "busybox:1.36", "command": ["sh", "-c", script]}
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]}
    policy = {"podFailurePolicy": {"rules": list(rules)}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j"},
        "spec": {"backoffLimit": 3, "template": {"spec": pod}, **policy, **spec},
    }


def on_codes(action: str, *codes: int, **more: Any) -> dict[str, Any]:
    return {"action": action, "onExitCodes": {"operator": "In", "values": list(codes), **more}}


async def failed(api: Client, namespace: str) -> dict[str, Any]:
    """The condition Failed of the Job."""

    async def found() -> dict[str, Any]:
        conditions = (await api.get(f"{jobs(namespace)}/j")).get("status", {}).get("conditions") or []
        return next((c for c in conditions if c["type"] == "Failed" and c["status"] == "True"), {})

    return await until(found, seconds=60)


async def test_a_code_may_end_the_job_at_once(api: Client, namespace: str) -> None:
    made = await api.post(jobs(namespace), job("exit 42", on_codes("FailJob", 42, containerName="main")))
    assert made["spec"]["podReplacementPolicy"] == "Failed"
    condition = await failed(api, namespace)
    assert condition["reason"] == "PodFailurePolicy"
    assert "failed with exit code 42 matching FailJob rule at index 0" in condition["message"]
    assert condition["message"].startswith(f"Container main for pod {namespace}/j-")
    assert (await api.get(f"{jobs(namespace)}/j"))["status"]["failed"] == 1


async def test_a_disruption_may_not_count(api: Client, namespace: str) -> None:
    ignored = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    made = await api.post(jobs(namespace), job("sleep 3600", ignored, backoffLimit=0))
    assert made["spec"]["podFailurePolicy"]["rules"][0]["onPodConditions"][0]["status"] == "True"

    async def running() -> str:
        found = (await api.get(pods(namespace)))["items"]
        return next((p["metadata"]["name"] for p in found if p["status"].get("phase") == "Running"), "")

    first = await until(running, seconds=60)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": first}}
    await api.post(f"{pods(namespace)}/{first}/eviction", eviction)

    async def replaced() -> bool:
        return (await running()) not in {"", first}

    await until(replaced, seconds=60)
    status = (await api.get(f"{jobs(namespace)}/j"))["status"]
    assert not status.get("failed")
    assert not status.get("conditions")


async def test_policies_that_make_no_sense_are_refused(api: Client, namespace: str) -> None:
    for wrong in (
        on_codes("Explode", 1),
        on_codes("FailJob", 0),
        on_codes("FailIndex", 1),
        {"action": "FailJob"},
    ):
        await api.post(jobs(namespace), job("true", wrong), expect=422)
    restarting = job("true", on_codes("FailJob", 1))
    restarting["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    await api.post(jobs(namespace), restarting, expect=422)
