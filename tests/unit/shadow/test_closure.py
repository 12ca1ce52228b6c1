"""The closure of a target: what it names, what stands in front of it, what it calls."""

import base64
from typing import Any

import pytest

from aegis.model.changes import Apply, Change, JsonPatch
from aegis.model.refs import ObjectRef
from aegis.shadow.closure import Closure, closure, hosts_in, hosts_outside

Json = dict[str, Any]
NS = "shop"


def ref(kind: str, name: str) -> ObjectRef:
    group = {"Deployment": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1"}.get(kind, "v1")
    return ObjectRef(api_version=group, kind=kind, name=name, namespace=NS)


def deployment(name: str, *, env: Json | None = None, command: list[str] | None = None, **spec: Any) -> Json:
    container: Json = {"name": name, "image": "x", "env": [{"name": k, "value": v} for k, v in (env or {}).items()]}
    if command:
        container["command"] = command
    container |= spec.pop("container", {})
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NS},
        "spec": {"template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], **spec}}},
    }


def service(name: str, app: str | None = None) -> Json:
    spec = {"selector": {"app": app or name}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": NS}, "spec": spec}


def _pod(spec: Json) -> Json:
    return {"spec": {"template": {"spec": spec}}}


WEB = ref("Deployment", "web")
POD = "/spec/template/spec"


def find(target: ObjectRef, *objects: Json, changes: tuple[Change, ...] = ()) -> Closure:
    return closure(target, changes, {ObjectRef.of(obj): obj for obj in objects})


def test_a_workload_brings_what_it_names_and_who_stands_in_front() -> None:
    web = deployment(
        "web",
        serviceAccountName="robot",
        volumes=[
            {"name": "d", "persistentVolumeClaim": {"claimName": "disk"}},
            {"name": "s", "secret": {"secretName": "k"}},
        ],
        container={"envFrom": [{"configMapRef": {"name": "settings"}}]},
    )
    names = [("ServiceAccount", "robot"), ("PersistentVolumeClaim", "disk"), ("Secret", "k"), ("ConfigMap", "settings")]
    first = find(ref("Deployment", "web"), web, service("web"))
    assert set(first.missing) == {ref(*name) for name in names}
    objects = [{"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": NS}} for kind, name in names]
    whole = find(ref("Deployment", "web"), web, service("web"), *objects)
    assert whole.missing == ()
    assert set(whole.named) == {ref(*name) for name in names}
    assert whole.subjects == (ref("Deployment", "web"),)
    assert whole.services == (ref("Service", "web"),)


def test_what_is_not_there_in_production_is_not_invented() -> None:
    web = deployment("web", container={"envFrom": [{"configMapRef": {"name": "gone"}}]})
    known = {ObjectRef.of(web): web, ref("ConfigMap", "gone"): None}
    found = closure(ref("Deployment", "web"), (), known)
    assert found.named == found.missing == ()


def test_what_every_namespace_has_is_not_copied() -> None:
    sources = [{"configMap": {"name": "kube-root-ca.crt"}}]
    web = deployment("web", serviceAccountName="default", volumes=[{"name": "t", "projected": {"sources": sources}}])
    assert find(ref("Deployment", "web"), web).missing == ()


def test_pull_secrets_of_the_account_come_too() -> None:
    account: Json = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot", "namespace": NS}}
    account["imagePullSecrets"] = [{"name": "registry"}]
    found = find(ref("Deployment", "web"), deployment("web", serviceAccountName="robot"), account)
    assert found.missing == (ref("Secret", "registry"),)


def test_dependencies_are_followed_through_each_other_and_in_circles() -> None:
    found = find(
        ref("Deployment", "web"),
        deployment("web", env={"API": "http://api:8000/v1"}),
        deployment("api", env={"DB": "db.shop.svc.cluster.local", "BACK": "http://web"}),
        deployment("db"),
        deployment("other"),
        *(service(name) for name in ("web", "api", "db", "other")),
    )
    assert found.subjects == (ref("Deployment", "web"),)
    assert set(found.dependencies) == {ref("Deployment", "api"), ref("Deployment", "db")}
    assert ref("Service", "other") not in found.services


def test_a_host_may_stand_in_a_config_map_or_a_secret() -> None:
    url = base64.b64encode(b"postgres://u:p@db:5432/x").decode()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "k", "namespace": NS}, "data": {"URL": url}}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": NS}, "data": {"q": "mq"}}
    web = deployment("web", container={"envFrom": [{"secretRef": {"name": "k"}}, {"configMapRef": {"name": "c"}}]})
    found = find(
        ref("Deployment", "web"), web, secret, config, deployment("db"), deployment("mq"), service("db"), service("mq")
    )
    assert set(found.dependencies) == {ref("Deployment", "db"), ref("Deployment", "mq")}


SELECT_WEB = {"app": "web"}
SERVICE = ref("Service", "front")


@pytest.mark.parametrize(
    "change",
    [
        Apply(target=SERVICE, patch={"spec": {"selector": SELECT_WEB}}),
        JsonPatch(target=SERVICE, patch=({"op": "replace", "path": "/spec/selector", "value": SELECT_WEB},)),
        JsonPatch(target=SERVICE, patch=({"op": "replace", "path": "/spec/selector/app", "value": "web"},)),
    ],
)
def test_a_service_brings_the_workloads_that_the_fix_would_have_behind_it(change: Change) -> None:
    found = find(SERVICE, service("front", "wbe"), deployment("web"), deployment("other"), changes=(change,))
    assert found.subjects == (ref("Deployment", "web"),)
    assert found.services == (SERVICE,)


def test_what_the_fix_changes_elsewhere_is_part_of_it() -> None:
    change = Apply(target=ref("Deployment", "db"), patch={"spec": {}})
    config = Apply(target=ref("ConfigMap", "c"), patch={"data": {}})
    found = find(ref("Deployment", "web"), deployment("web"), deployment("db"), changes=(change, config))
    assert found.dependencies == (ref("Deployment", "db"),)
    assert found.missing == (ref("ConfigMap", "c"),)


@pytest.mark.parametrize(
    ("change", "brought"),
    [
        (Apply(target=WEB, patch=_pod({"serviceAccountName": "robot"})), ("ServiceAccount", "robot")),
        (
            JsonPatch(
                target=WEB,
                patch=(
                    {"op": "add", "path": f"{POD}/containers/0/envFrom", "value": [{"configMapRef": {"name": "c"}}]},
                ),
            ),
            ("ConfigMap", "c"),
        ),
        (
            Apply(
                target=WEB, patch=_pod({"containers": [{"name": "web", "env": [{"name": "DB", "value": "db:5432"}]}]})
            ),
            ("Deployment", "db"),
        ),
    ],
)
def test_what_the_fix_would_have_a_workload_name_is_part_of_it(change: Change, brought: tuple[str, str]) -> None:
    found = find(WEB, deployment("web"), deployment("db"), service("db"), changes=(change,))
    assert ref(*brought) in {*found.missing, *found.dependencies}


def test_a_fix_that_does_not_fit_brings_nothing() -> None:
    change = JsonPatch(target=WEB, patch=({"op": "replace", "path": "/nowhere/1", "value": {}},))
    assert find(WEB, deployment("web"), changes=(change,)).missing == ()


def test_a_pod_stands_for_the_workload_that_made_it() -> None:
    pod: Json = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-5d9c-x", "namespace": NS}}
    pod["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "web-5d9c"}]
    pod["spec"] = {"containers": []}
    assert find(ref("Pod", "web-5d9c-x"), pod, deployment("web")).subjects == (ref("Deployment", "web"),)


def test_a_replica_set_stands_for_its_deployment() -> None:
    made: Json = {"apiVersion": "v1", "kind": "ReplicaSet", "metadata": {"name": "web-5d9c", "namespace": NS}}
    assert find(ref("ReplicaSet", "web-5d9c"), made, deployment("web")).subjects == (ref("Deployment", "web"),)
    assert find(ref("ReplicaSet", "lone"), {**made, "metadata": {"name": "lone", "namespace": NS}}).subjects == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("db", True),
        ("db:5432", True),
        ("postgres://user:pw@db/shop", True),
        ("http://db/", True),
        ("db.shop.svc.cluster.local:5432", True),
        ("db.shop", True),
        ("until nc -z db 5432; do sleep 1; done", True),
        ("the db is slow", False),
        ("mydb:5432", False),
        ("db.example.com", False),
        ("http://db.example.com/", False),
        ("/var/lib/db", False),
        ("db2:5432", False),
        ("db-replica:5432", False),
    ],
)
def test_hosts_in_text(text: str, expected: bool) -> None:
    assert (hosts_in(text, ["db"], NS) == {"db"}) is expected


def test_hosts_of_other_namespaces_are_reported() -> None:
    found = find(
        ref("Deployment", "web"), deployment("web", env={"A": "http://db.data.svc.cluster.local:1", "B": "x.shop.svc"})
    )
    assert found.outside == ("db.data.svc",)
    assert hosts_outside("nothing", NS) == set()
