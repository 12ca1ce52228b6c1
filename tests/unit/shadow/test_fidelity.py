"""How a pod of the shadow differs from one of production: told by names, never by values."""

from typing import Any

from aegis.shadow.fidelity import differences

Json = dict[str, Any]


def pod(*names: str, created: str = "2026-01-01T00:00:00Z", **container: Any) -> Json:
    return {
        "kind": "Pod",
        "metadata": {"creationTimestamp": created},
        "spec": {"containers": [{"name": name, **container} for name in names]},
    }


def test_equal_pods_do_not_differ() -> None:
    assert differences([pod("web", image="x")], [pod("web", image="x")]) == []
    assert differences([], [pod("web")]) == differences([pod("web")], []) == []


def test_sidecars() -> None:
    assert differences([pod("web", "proxy")], [pod("web")]) == [
        "containers[proxy] runs in production and not in the shadow"
    ]
    assert differences([pod("web")], [pod("web", "proxy")]) == [
        "containers[proxy] runs in the shadow and not in production"
    ]


def test_only_the_newest_pod_of_production_counts() -> None:
    old, new = pod("web", image="old"), pod("web", image="new", created="2026-01-02T00:00:00Z")
    assert differences([new, old], [pod("web", image="new")]) == []


def test_fields_resources_variables_and_mounts() -> None:
    ours = pod("web", image="a", env=[{"name": "TOKEN", "value": "hunter2"}], resources={"limits": {"memory": "1"}})
    theirs = pod(
        "web", image="b", env=[{"name": "EXTRA", "value": "x"}], volumeMounts=[{"name": "v", "mountPath": "/v"}]
    )
    found = differences([ours], [theirs])
    assert found == [
        "containers[web] has other resources than in production",
        "containers[web] has the mount /v that it lacks in production",
        "containers[web] has the variable EXTRA that it lacks in production",
        "containers[web] lacks the variable TOKEN that it has in production",
        "containers[web].image is not as in production",
    ]
    assert "hunter2" not in "".join(found)


def test_the_token_that_every_pod_used_to_get_is_no_news() -> None:
    mount = [{"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]
    assert differences([pod("web", volumeMounts=mount)], [pod("web", volumeMounts=[])]) == []
