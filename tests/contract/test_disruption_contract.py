"""PodDisruptionBudgets and the eviction that keeps them."""

from typing import Any

from contract_client import Client, deployment, deployments, pods, until


def budgets(namespace: str) -> str:
    return f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets"


def budget(name: str = "b", app: str = "web", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": app}}, **spec},
    }


def eviction(name: str, **delete_options: Any) -> dict[str, Any]:
    made = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    return {**made, "deleteOptions": delete_options} if delete_options else made


async def ready_pods(api: Client, namespace: str, replicas: int) -> list[str]:
    """The names of the pods of a Deployment `web`, once as many are ready."""
    wanted = deployment(replicas=replicas)
    wanted["spec"]["template"]["spec"]["containers"] = [{"name": "c", "image": "nginx:1.27"}]
    await api.post(deployments(namespace), wanted)

    async def ready() -> list[str]:
        found = (await api.get(pods(namespace)))["items"]
        assert len(found) == replicas
        conditions = [c for p in found for c in p["status"].get("conditions") or () if c["type"] == "Ready"]
        assert [c["status"] for c in conditions] == ["True"] * replicas
        return [p["metadata"]["name"] for p in found]

    return await until(ready)


async def settled(api: Client, namespace: str, name: str = "b", **wanted: int) -> dict[str, Any]:
    """A budget's status, once it has these numbers."""

    async def status() -> dict[str, Any]:
        found: dict[str, Any] = (await api.get(f"{budgets(namespace)}/{name}")).get("status") or {}
        assert {k: found.get(k) for k in wanted} == wanted
        return found

    return await until(status)


async def test_a_budget_counts_its_pods(api: Client, namespace: str) -> None:
    await ready_pods(api, namespace, 3)
    await api.post(budgets(namespace), budget("least", minAvailable=2))
    await api.post(budgets(namespace), budget("most", maxUnavailable="34%"))
    await api.post(budgets(namespace), budget("none", "nobody", minAvailable=1))
    status = await settled(
        api, namespace, "least", currentHealthy=3, desiredHealthy=2, expectedPods=3, disruptionsAllowed=1
    )
    assert status["observedGeneration"] == 1
    (condition,) = status["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "DisruptionAllowed", "True", "SufficientPods",
    )  # fmt: skip
    await settled(api, namespace, "most", currentHealthy=3, desiredHealthy=1, expectedPods=3, disruptionsAllowed=2)
    status = await settled(api, namespace, "none", expectedPods=0, disruptionsAllowed=0)
    assert status["conditions"][0]["reason"] == "InsufficientPods"


async def test_an_eviction_beyond_the_budget_is_refused(api: Client, namespace: str) -> None:
    name, *_ = await ready_pods(api, namespace, 2)
    await api.post(budgets(namespace), budget(minAvailable=2))
    await settled(api, namespace, currentHealthy=2)
    refused = await api.post(f"{pods(namespace)}/{name}/eviction", eviction(name), expect=429)
    assert refused["reason"] == "TooManyRequests"
    assert refused["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    (cause,) = refused["details"]["causes"]
    assert cause["reason"] == "DisruptionBudget"
    assert cause["message"] == "The disruption budget b needs 2 healthy pods and has 2 currently"
    await api.post(f"{pods(namespace)}/{name}/eviction", eviction(name), dryRun="All", expect=429)
    assert not (await api.get(f"{pods(namespace)}/{name}"))["metadata"].get("deletionTimestamp")


async def test_an_eviction_within_the_budget_takes_from_it(api: Client, namespace: str) -> None:
    first, second = await ready_pods(api, namespace, 2)
    await api.post(budgets(namespace), budget(maxUnavailable=1))
    await settled(api, namespace, disruptionsAllowed=1)
    await api.post(f"{pods(namespace)}/{first}/eviction", eviction(first), dryRun="All", expect=201)
    await settled(api, namespace, disruptionsAllowed=1)
    uid = (await api.get(f"{pods(namespace)}/{first}"))["metadata"]["uid"]
    await api.post(f"{pods(namespace)}/{first}/eviction", eviction(first, preconditions={"uid": "x"}), expect=409)
    done = await api.post(
        f"{pods(namespace)}/{first}/eviction", eviction(first, preconditions={"uid": uid}), expect=201
    )
    assert (done["kind"], done["status"]) == ("Status", "Success")
    await api.post(f"{pods(namespace)}/{second}/eviction", eviction(second), expect=429)


async def test_an_evicted_pod_says_why_it_goes(api: Client, namespace: str) -> None:
    name, *_ = await ready_pods(api, namespace, 1)
    pod = await api.get(f"{pods(namespace)}/{name}")
    pod["metadata"]["finalizers"] = ["example.com/hold"]
    await api.put(f"{pods(namespace)}/{name}", {**pod, "metadata": {**pod["metadata"], "resourceVersion": ""}})
    await api.post(f"{pods(namespace)}/{name}/eviction", eviction(name), expect=201)
    held = await api.get(f"{pods(namespace)}/{name}")
    assert held["metadata"]["deletionTimestamp"]
    (target,) = [c for c in held["status"]["conditions"] if c["type"] == "DisruptionTarget"]
    assert (target["status"], target["reason"], target["message"]) == (
        "True", "EvictionByEvictionAPI", "Eviction API: evicting",
    )  # fmt: skip
    await api.merge(f"{pods(namespace)}/{name}", {"metadata": {"finalizers": None}})


async def test_two_budgets_over_one_pod_are_an_error(api: Client, namespace: str) -> None:
    name, *_ = await ready_pods(api, namespace, 1)
    for one in ("b", "c"):
        await api.post(budgets(namespace), budget(one, maxUnavailable=1))
    refused = await api.post(f"{pods(namespace)}/{name}/eviction", eviction(name), expect=500)
    assert "more than one PodDisruptionBudget" in refused["message"]


async def test_an_unhealthy_pod_goes_where_the_policy_lets_it(api: Client, namespace: str) -> None:
    sick = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "sick", "labels": {"app": "sick"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "c",
                    "image": "busybox:1.36",
                    "command": ["sleep", "3600"],
                    "readinessProbe": {"exec": {"command": ["false"]}},
                }
            ],
        },
    }
    await api.post(pods(namespace), sick)
    await api.post(budgets(namespace), budget(app="sick", minAvailable=1))

    async def running() -> bool:
        return bool((await api.get(f"{pods(namespace)}/sick"))["status"]["phase"] == "Running")

    await until(running)
    await settled(api, namespace, currentHealthy=0, expectedPods=1)
    await api.post(f"{pods(namespace)}/sick/eviction", eviction("sick"), expect=429)
    await api.merge(f"{budgets(namespace)}/b", {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}})
    await settled(api, namespace, observedGeneration=2)
    await api.post(f"{pods(namespace)}/sick/eviction", eviction("sick"), expect=201)


async def test_a_budget_that_makes_no_sense_is_refused(api: Client, namespace: str) -> None:
    await api.post(budgets(namespace), budget(minAvailable=1, maxUnavailable=1), expect=422)
    await api.post(budgets(namespace), budget(minAvailable="130%"), expect=422)
    await api.post(budgets(namespace), budget(minAvailable=1, unhealthyPodEvictionPolicy="Sometimes"), expect=422)
