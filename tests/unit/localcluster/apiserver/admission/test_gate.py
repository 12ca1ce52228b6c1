from typing import Any

import pytest
from api_calls import Api

from aegis.localcluster.apiserver.refusals import Forbidden, Invalid, Unimplemented


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


def test_services_get_addresses_of_their_own(api: Api) -> None:
    one = api.json("create", "services", None, service("a"))["spec"]
    two = api.json("create", "services", None, service("b", type="NodePort"))["spec"]
    assert one["clusterIP"] != two["clusterIP"]
    assert 30000 <= two["ports"][0]["nodePort"] <= 32767
    assert api.json("create", "services", None, service("c", clusterIP="None"))["spec"]["clusterIP"] == "None"
    for taken in (one["clusterIP"], "10.96.0.1", "8.8.8.8", "x"):
        with pytest.raises(Invalid):
            api.call("create", "services", None, service("d", clusterIP=taken))
    kept = api.json("update", "services", "a", service("a", selector={"x": "y"}))["spec"]
    assert kept["clusterIP"] == one["clusterIP"]


def test_pods_get_account_priority_and_token(api: Api, pod: dict[str, Any]) -> None:
    api.call("create", "serviceaccounts", None, {"metadata": {"name": "bot"}, "imagePullSecrets": [{"name": "s"}]})
    api.call("create", "priorityclasses.scheduling.k8s.io", None, {"metadata": {"name": "high"}, "value": 7})
    pod["spec"] |= {"serviceAccountName": "bot", "priorityClassName": "high"}
    spec = api.json("create", "pods", None, pod)["spec"]
    assert spec["priority"] == 7
    assert spec["imagePullSecrets"] == [{"name": "s"}]
    assert spec["containers"][0]["volumeMounts"][0]["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert spec["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]["path"] == "token"


@pytest.mark.parametrize("wrong", [{"serviceAccountName": "nobody"}, {"priorityClassName": "nothing"}])
def test_what_a_pod_names_must_exist(api: Api, pod: dict[str, Any], wrong: dict[str, str]) -> None:
    pod["spec"] |= wrong
    with pytest.raises(Forbidden):
        api.call("create", "pods", None, pod)


def test_limit_ranges_complete_and_bound(api: Api, pod: dict[str, Any]) -> None:
    item = {"type": "Container", "default": {"memory": "128Mi"}, "max": {"memory": "256Mi"}}
    api.call("create", "limitranges", None, {"metadata": {"name": "l"}, "spec": {"limits": [item]}})
    resources = api.json("create", "pods", None, pod, query={"dryRun": "All"})["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"memory": "128Mi"}, "requests": {"memory": "128Mi"}}
    pod["spec"]["containers"][0]["resources"] = {"limits": {"memory": "1Gi"}}
    with pytest.raises(Forbidden, match="maximum memory usage per Container is 256Mi"):
        api.call("create", "pods", None, pod)


def test_quotas_count_what_is_there(api: Api, pod: dict[str, Any]) -> None:
    hard = {"pods": "1", "requests.cpu": "1"}
    api.call("create", "resourcequotas", None, {"metadata": {"name": "q"}, "spec": {"hard": hard}})
    with pytest.raises(Forbidden, match=r"must specify requests\.cpu"):
        api.call("create", "pods", None, pod)
    pod["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "600m"}}
    api.call("create", "pods", None, pod)
    pod["metadata"]["name"] = "other"
    with pytest.raises(Forbidden, match=r"exceeded quota: q, requested: pods=1,requests\.cpu=600m, used: pods=1"):
        api.call("create", "pods", None, pod)


@pytest.mark.parametrize(("field", "value"), [("backoffLimitPerIndex", 1), ("successPolicy", {"rules": []})])
def test_what_no_controller_keeps_is_refused_by_name(api: Api, pod: dict[str, Any], field: str, value: Any) -> None:
    template = {"spec": {**pod["spec"], "restartPolicy": "Never"}}
    spec = {"template": template, "completionMode": "Indexed", "completions": 1, field: value}
    with pytest.raises(Unimplemented, match=field):
        api.call("create", "jobs.batch", None, {"metadata": {"name": "j"}, "spec": spec})
    cron = {"schedule": "* * * * *", "jobTemplate": {"spec": spec}}
    with pytest.raises(Unimplemented, match=field):
        api.call("create", "cronjobs.batch", None, {"metadata": {"name": "j"}, "spec": cron})
