"""Copies: nothing of the original's identity, nothing that reaches the node, and every difference written down."""

from typing import Any

import pytest

from aegis.errors import Refused
from aegis.model.refs import ObjectRef
from aegis.shadow.clone import CloneOptions, Ledger, Plan, forbidden, plan, service, shadow_ref, strip, workload
from aegis.shadow.closure import closure
from aegis.shadow.synthetic import Faker

Json = dict[str, Any]


def obj(kind: str, name: str = "web", *, group: str = "apps/v1", **body: Any) -> Json:
    metadata = {
        "name": name,
        "namespace": "shop",
        "uid": "u-1",
        "resourceVersion": "7",
        "generation": 3,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{}],
        "ownerReferences": [{"kind": "X"}],
        "finalizers": ["x"],
        "generateName": "web-",
        "selfLink": "/x",
        "labels": {"app": "web", "app.kubernetes.io/managed-by": "Helm", "argocd.argoproj.io/instance": "shop"},
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "deployment.kubernetes.io/revision": "4",
            "meta.helm.sh/release-name": "shop",
            "kustomize.toolkit.fluxcd.io/name": "shop",
            "team": "checkout",
        },
    }
    return {"apiVersion": group, "kind": kind, "metadata": metadata, "status": {"x": 1}, **body}


def pods(**spec: Any) -> Json:
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "x"}], **spec}}


def deployment(name: str = "web", **spec: Any) -> Json:
    return obj("Deployment", name, spec={"replicas": 2, "template": pods(**spec)})


def made(*objects: Json, target: Json | None = None, **options: Any) -> Plan:
    known = {ObjectRef.of(one): one for one in objects}
    found = closure(ObjectRef.of(target or objects[0]), (), known)
    return plan(found, known, Faker(b"salt"), CloneOptions(**options))


def test_a_copy_keeps_what_a_person_wrote_and_nothing_else() -> None:
    copy = strip(deployment())
    assert copy["metadata"] == {"name": "web", "labels": {"app": "web"}, "annotations": {"team": "checkout"}}
    assert "status" not in copy


def test_the_original_is_left_alone() -> None:
    original = deployment(priorityClassName="high")
    workload(original, CloneOptions(), Ledger())
    assert original["spec"]["template"]["spec"]["priorityClassName"] == "high"
    assert original["spec"]["replicas"] == 2


def test_a_workload_waits_for_its_release_without_a_token() -> None:
    copy = workload(deployment(nodeName="n1", priorityClassName="high"), CloneOptions(), Ledger())
    assert copy["spec"]["replicas"] == 0
    spec = copy["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert "nodeName" not in spec
    assert "priorityClassName" not in spec


def test_a_fix_of_the_number_of_pods_finds_the_number_as_it_is() -> None:
    result = made(deployment(), keep_replicas=True)
    assert result.objects[0]["spec"]["replicas"] == 2
    assert result.keeps_replicas


def test_a_stateful_set_keeps_its_name_and_starts_side_by_side() -> None:
    ledger = Ledger()
    source = obj("StatefulSet", spec={"serviceName": "web", "template": pods()})
    copy = workload(source, CloneOptions(), ledger)
    assert (copy["metadata"]["name"], copy["spec"]["serviceName"]) == ("web", "web")
    assert copy["spec"]["podManagementPolicy"] == "Parallel"
    assert ledger.entries == ["the pods of StatefulSet web start side by side"]


def test_a_daemon_set_runs_as_a_deployment() -> None:
    source = obj("DaemonSet", spec={"updateStrategy": {"type": "OnDelete"}, "template": pods()})
    result = made(source)
    copy = result.objects[0]
    assert (copy["kind"], copy["spec"]["replicas"]) == ("Deployment", 0)
    assert "updateStrategy" not in copy["spec"]
    assert result.subjects[0].kind == "Deployment"
    assert shadow_ref(ObjectRef.of(source)).kind == "Deployment"


def test_a_job_waits_and_tries_often_enough() -> None:
    template = pods(restartPolicy="Never")
    template["metadata"]["labels"] |= {"controller-uid": "u", "batch.kubernetes.io/job-name": "j"}
    source = obj("Job", "j", group="batch/v1", spec={"selector": {}, "backoffLimit": 0, "template": template})
    copy = workload(source, CloneOptions(), Ledger())
    assert copy["spec"]["suspend"] is True
    assert copy["spec"]["backoffLimit"] == 6
    assert "selector" not in copy["spec"]
    assert copy["spec"]["template"]["metadata"]["labels"] == {"app": "web"}


def test_a_cron_job_is_suspended() -> None:
    source = obj("CronJob", "c", group="batch/v1", spec={"jobTemplate": {"spec": {"template": pods()}}})
    assert workload(source, CloneOptions(), Ledger())["spec"]["suspend"] is True


def test_a_service_is_only_for_the_arm() -> None:
    spec = {
        "type": "LoadBalancer",
        "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1"],
        "externalIPs": ["1.2.3.4"],
        "healthCheckNodePort": 30001,
        "externalTrafficPolicy": "Local",
        "selector": {"app": "web"},
        "ports": [{"name": "http", "port": 80, "targetPort": 8000, "nodePort": 30000}],
    }
    ledger = Ledger()
    copy = service(obj("Service", group="v1", spec=spec), ledger)
    ports = [{"name": "http", "port": 80, "targetPort": 8000}]
    assert copy["spec"] == {"type": "ClusterIP", "selector": {"app": "web"}, "ports": ports}
    assert ledger.entries == ["Service web is a ClusterIP, not a LoadBalancer"]


def test_an_external_name_stays_one_and_leads_nowhere() -> None:
    ledger = Ledger()
    copy = service(obj("Service", group="v1", spec={"type": "ExternalName", "externalName": "db.example.com"}), ledger)
    assert copy["spec"] == {"type": "ExternalName", "externalName": "db.example.com"}
    assert ledger.entries == ["Service web leads nowhere: the host outside is cut off"]


def test_a_headless_service_stays_headless() -> None:
    source = obj("Service", group="v1", spec={"clusterIP": "None", "selector": {"app": "web"}})
    assert service(source, Ledger())["spec"]["clusterIP"] == "None"


def test_a_secret_becomes_a_fake_unless_it_is_allowed() -> None:
    secret = obj("Secret", "k", group="v1", type="Opaque", data={"password": "aHVudGVyMmh1bnRlcjI="})
    web = deployment(volumes=[{"name": "k", "secret": {"secretName": "k"}}])
    faked, copied = made(web, secret), made(web, secret, copy_secrets=("shop/k",))
    assert faked.objects[0]["data"]["password"] != secret["data"]["password"]
    assert faked.synthetic == ("k",)
    assert copied.objects[0]["data"] == secret["data"]
    assert copied.synthetic == ()


@pytest.mark.parametrize("allowed", ["k", "bank/k", "shop/other", "/k", "shop/k/"])
def test_a_secret_is_allowed_by_namespace_and_name_exactly(allowed: str) -> None:
    secret = obj("Secret", "k", group="v1", type="Opaque", data={"password": "aHVudGVyMmh1bnRlcjI="})
    web = deployment(volumes=[{"name": "k", "secret": {"secretName": "k"}}])
    assert made(web, secret, copy_secrets=(allowed,)).synthetic == ("k",)


def test_a_token_is_never_copied() -> None:
    token = obj("Secret", "t", group="v1", type="kubernetes.io/service-account-token", data={"token": "eA=="})
    web = deployment(volumes=[{"name": "t", "secret": {"secretName": "t"}}])
    assert [one["kind"] for one in made(web, token, copy_secrets=("shop/t",)).objects] == ["Deployment"]


def test_an_account_loses_its_cloud_identity() -> None:
    account = obj("ServiceAccount", "robot", group="v1", secrets=[{"name": "robot-token"}])
    account["metadata"]["annotations"] = {"eks.amazonaws.com/role-arn": "arn"}
    copy = made(deployment(serviceAccountName="robot"), account).objects[0]
    assert copy["metadata"].get("annotations") is None
    assert "secrets" not in copy
    assert copy["automountServiceAccountToken"] is False


def test_a_claim_begins_empty() -> None:
    spec = {"volumeName": "pv-1", "dataSource": {"name": "s"}, "resources": {"requests": {"storage": "1Gi"}}}
    claim = obj("PersistentVolumeClaim", "disk", group="v1", spec=spec)
    web = deployment(volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "disk"}}])
    assert made(web, claim).objects[0]["spec"] == {"resources": {"requests": {"storage": "1Gi"}}}


def test_the_order_is_that_of_need() -> None:
    objects = [
        deployment(
            serviceAccountName="robot",
            volumes=[
                {"name": "d", "persistentVolumeClaim": {"claimName": "disk"}},
                {"name": "c", "configMap": {"name": "c"}},
                {"name": "k", "secret": {"secretName": "k"}},
            ],
        ),
        obj("Service", group="v1", spec={"selector": {"app": "web"}}),
        obj("PersistentVolumeClaim", "disk", group="v1", spec={}),
        obj("ConfigMap", "c", group="v1", data={}),
        obj("Secret", "k", group="v1", data={}),
        obj("ServiceAccount", "robot", group="v1"),
    ]
    kinds = [one["kind"] for one in made(*objects).objects]
    assert kinds == ["ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim", "Service", "Deployment"]


@pytest.mark.parametrize(
    "spec",
    [
        {"hostNetwork": True},
        {"hostPID": True},
        {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]},
        {"containers": [{"name": "web", "securityContext": {"privileged": True}}]},
        {"containers": [{"name": "web", "ports": [{"containerPort": 80, "hostPort": 80}]}]},
        {"initContainers": [{"name": "i", "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}]},
    ],
)
def test_what_could_reach_its_node_is_not_tried(spec: Json) -> None:
    source = deployment(**spec)
    assert forbidden(source)
    with pytest.raises(Refused, match="reach the node"):
        made(source)


def test_a_dependency_that_could_is_left_out_and_said_so() -> None:
    web = deployment()
    web["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "agent:80"}]
    agent = obj("Deployment", "agent", spec={"template": pods(hostNetwork=True)})
    agent["spec"]["template"]["metadata"]["labels"] = {"app": "agent"}
    front = obj("Service", "agent", group="v1", spec={"selector": {"app": "agent"}})
    result = made(web, agent, front)
    assert result.dependencies == ()
    assert any("Deployment agent is not copied" in entry for entry in result.ledger.entries)


def test_what_keeps_pods_apart_goes_unless_the_fix_is_about_it() -> None:
    affinity = {"podAntiAffinity": {"x": 1}}
    source = deployment(affinity=affinity, topologySpreadConstraints=[{}])
    free, kept = made(source), made(source, keep_placement=True)
    assert "affinity" not in free.objects[0]["spec"]["template"]["spec"]
    assert kept.objects[0]["spec"]["template"]["spec"]["affinity"] == affinity


def test_subjects_are_tried_in_numbers_and_dependencies_once() -> None:
    web = deployment()
    web["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "db:1234"}]
    db = obj("Deployment", "db", spec={"template": pods()})
    db["spec"]["template"]["metadata"]["labels"] = {"app": "db"}
    result = made(web, db, obj("Service", "db", group="v1", spec={"selector": {"app": "db"}}), trials=5)
    assert {ref.name: count for ref, count in result.trials.items()} == {"web": 5, "db": 1}


@pytest.mark.parametrize(
    "source",
    [
        {"nfs": {"server": "files.example", "path": "/shop"}},
        {"csi": {"driver": "secrets-store.csi.k8s.io", "volumeAttributes": {"secretProviderClass": "shop"}}},
        {"awsElasticBlockStore": {"volumeID": "vol-1"}},
    ],
)
def test_a_volume_that_the_node_would_mount_from_outside_is_empty(source: Json) -> None:
    kept = {"name": "c", "configMap": {"name": "c"}}
    copied = made(deployment(volumes=[{"name": "data", **source}, kept]))
    volumes = copied.objects[0]["spec"]["template"]["spec"]["volumes"]
    assert volumes == [{"name": "data", "emptyDir": {}}, kept]
    assert f"the volume data of Deployment web is empty, not {next(iter(source))}" in copied.ledger.entries


FROM_PRODUCTION = {
    "volumeName": "pv-1",
    "dataSource": {"kind": "VolumeSnapshot", "name": "s"},
    "dataSourceRef": {"kind": "VolumeSnapshot", "name": "s", "namespace": "bank"},
}
EMPTY_DISK = {"resources": {"requests": {"storage": "1Gi"}}}


def test_a_claim_that_a_stateful_set_makes_begins_empty() -> None:
    template = {"metadata": {"name": "disk"}, "spec": FROM_PRODUCTION | EMPTY_DISK}
    copied = made(obj("StatefulSet", spec={"template": pods(), "volumeClaimTemplates": [template]}))
    assert copied.objects[0]["spec"]["volumeClaimTemplates"] == [{"metadata": {"name": "disk"}, "spec": EMPTY_DISK}]
    assert "the volume disk of StatefulSet web is empty" in copied.ledger.entries


def test_a_claim_that_a_pod_makes_begins_empty() -> None:
    def volume(spec: Json) -> Json:
        return {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": spec}}}

    copied = made(deployment(volumes=[volume(FROM_PRODUCTION | EMPTY_DISK)]))
    assert copied.objects[0]["spec"]["template"]["spec"]["volumes"] == [volume(EMPTY_DISK)]
    assert "the volume scratch of Deployment web is empty" in copied.ledger.entries


def test_a_claim_that_begins_empty_in_production_is_no_difference() -> None:
    volume = {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": EMPTY_DISK}}}
    assert not [entry for entry in made(deployment(volumes=[volume])).ledger.entries if "scratch" in entry]


def test_a_token_that_the_manifest_asks_for_is_not_given() -> None:
    other = {"configMap": {"name": "ca"}}
    token = {"serviceAccountToken": {"audience": "vault", "path": "token"}}
    volume = {"name": "identity", "projected": {"defaultMode": 420, "sources": [token, other]}}
    copied = made(deployment(volumes=[volume]))
    volumes = copied.objects[0]["spec"]["template"]["spec"]["volumes"]
    assert volumes == [{"name": "identity", "projected": {"defaultMode": 420, "sources": [other]}}]
    assert "the volume identity of Deployment web holds no token" in copied.ledger.entries


def test_a_volume_of_nothing_but_a_token_stays_and_is_empty() -> None:
    volume = {"name": "identity", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    mount = {"name": "identity", "mountPath": "/var/run/identity"}
    web = deployment(volumes=[volume], containers=[{"name": "web", "image": "x", "volumeMounts": [mount]}])
    spec = made(web).objects[0]["spec"]["template"]["spec"]
    assert spec["volumes"] == [{"name": "identity", "emptyDir": {}}]
    assert spec["containers"][0]["volumeMounts"] == [mount]
