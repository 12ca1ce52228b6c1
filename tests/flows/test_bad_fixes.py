"""Bad fixes given by `--changes`: each is refused with its reason, before anything is tried, and nothing is written.

The real command line in front of a real API server; what it sends is seen from outside.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from flow_world import api_server
from kill_world import Actors, Ended, Theatre, theatre
from recording_proxy import Recording, recording_proxy

from aegis.drivers.kubernetes import KubeOptions, connect

pytestmark = pytest.mark.timeout(300)

CONTAINER: dict[str, Any] = {
    "name": "web",
    "image": "busybox:1.36",
    "command": ["/app/server", "--port", "8000"],
    "env": [{"name": "MODE", "value": "fast"}],
    "livenessProbe": {"httpGet": {"path": "/", "port": 8000}},
    "readinessProbe": {"httpGet": {"path": "/", "port": 8000}},
    "resources": {"requests": {"cpu": "1m"}, "limits": {"memory": "64Mi"}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}
META = {"name": "web", "namespace": "shop"}
OBJECTS: list[dict[str, Any]] = [
    {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "shop", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": META,
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "automountServiceAccountToken": False,
                    "containers": [CONTAINER, {**CONTAINER, "name": "proxy"}],
                },
            },
        },
    },
    {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": META,
        "spec": {
            "schedule": "0 0 * * *",
            "jobTemplate": {
                "spec": {
                    "template": {
                        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:1.36"}]}
                    }
                }
            },
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": META,
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8000}]},
    },
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": META},
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": META, "data": {"colour": "blue"}},
    {"apiVersion": "v1", "kind": "Secret", "metadata": META, "data": {"token": "czNjcjN0"}},
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": META,
        "spec": {
            "podSelector": {"matchLabels": {"app": "web"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 8000}]}],
        },
    },
    {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": META,
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": META,
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": META,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "web"},
        "subjects": [{"kind": "ServiceAccount", "name": "web", "namespace": "shop"}],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "web"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    },
    {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": META,
        "spec": {
            "minReplicas": 2,
            "maxReplicas": 4,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        },
    },
    {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": META,
        "spec": {"hard": {"pods": "10"}},
    },
]

WEB = "/spec/template/spec/containers/0"


def patched(kind: str, *operations: dict[str, Any], name: str = "web") -> dict[str, Any]:
    return {"target": {"kind": kind, "name": name}, "type": "json-patch", "patch": list(operations)}


def applied(kind: str, patch: dict[str, Any], name: str = "web") -> dict[str, Any]:
    return {"target": {"kind": kind, "name": name}, "type": "apply", "patch": patch}


def pod(**spec: Any) -> dict[str, Any]:
    return applied("Deployment", {"spec": {"template": {"spec": spec}}})


def web(**fields: Any) -> dict[str, Any]:
    return pod(containers=[{"name": "web", **fields}])


def put(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def drop(path: str) -> dict[str, Any]:
    return {"op": "remove", "path": path}


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("a probe removed", patched("Deployment", drop(f"{WEB}/livenessProbe")), "removes the livenessProbe"),
    ("a readiness probe removed", patched("Deployment", drop(f"{WEB}/readinessProbe")), "removes the readinessProbe"),
    (
        "a probe that always succeeds",
        patched("Deployment", put(f"{WEB}/livenessProbe", {"exec": {"command": ["true"]}})),
        "one that always succeeds",
    ),
    (
        "a probe of a shell that always succeeds",
        patched("Deployment", put(f"{WEB}/readinessProbe", {"exec": {"command": ["sh", "-c", "exit 0"]}})),
        "one that always succeeds",
    ),
    (
        "a probe of an open port",
        patched("Deployment", put(f"{WEB}/readinessProbe", {"tcpSocket": {"port": 8000}})),
        "an open port only",
    ),
    (
        "a probe that never acts",
        patched("Deployment", put(f"{WEB}/livenessProbe/failureThreshold", 100000)),
        "before it says anything",
    ),
    ("scaled to zero", applied("Deployment", {"spec": {"replicas": 0}}), "scales to zero"),
    ("suspended", applied("CronJob", {"spec": {"suspend": True}}), "suspends"),
    ("paused", applied("Deployment", {"spec": {"paused": True}}), "pauses the rollout"),
    ("the workload deleted", {"target": {"kind": "Deployment", "name": "web"}, "type": "delete"}, "deletes nothing"),
    ("a policy deleted", {"target": {"kind": "NetworkPolicy", "name": "web"}, "type": "delete"}, "deletes nothing"),
    (
        "a budget deleted",
        {"target": {"kind": "PodDisruptionBudget", "name": "web"}, "type": "delete"},
        "deletes nothing",
    ),
    (
        "a container removed",
        patched("Deployment", drop("/spec/template/spec/containers/1")),
        "removes containers[proxy]",
    ),
    ("a policy's rule removed", patched("NetworkPolicy", drop("/spec/ingress/0")), "takes a rule out of spec.ingress"),
    (
        "a policy opened",
        patched("NetworkPolicy", put("/spec/ingress/-", {})),
        "opens spec.ingress to everyone",
    ),
    (
        "a policy aimed at nothing",
        patched("NetworkPolicy", put("/spec/podSelector", {"matchLabels": {"app": "nobody"}})),
        "changes what the policy covers",
    ),
    (
        "a budget loosened",
        applied("PodDisruptionBudget", {"spec": {"minAvailable": 0}}),
        "no trial covers objects of kind PodDisruptionBudget",
    ),
    ("a quota raised", applied("ResourceQuota", {"spec": {"hard": {"pods": "10000"}}}), "no trial covers"),
    ("an autoscaler tied down", applied("HorizontalPodAutoscaler", {"spec": {"maxReplicas": 1}}), "no trial covers"),
    (
        "a Role widened",
        applied("Role", {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}),
        "changes access rights",
    ),
    (
        "a ClusterRole widened",
        applied("ClusterRole", {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}),
        "changes access rights",
    ),
    (
        "a binding given away",
        applied("RoleBinding", {"subjects": [{"kind": "Group", "name": "system:authenticated"}]}),
        "changes access rights",
    ),
    (
        "a service account given an identity",
        applied(
            "ServiceAccount", {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x"}}}
        ),
        "no trial covers objects of kind ServiceAccount",
    ),
    (
        "Pod Security lowered",
        applied("Namespace", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}, "shop"),
        "cluster-scoped",
    ),
    ("privileged", web(securityContext={"privileged": True}), "makes containers[web] privileged"),
    ("escalation", web(securityContext={"allowPrivilegeEscalation": True}), "weakens allowPrivilegeEscalation"),
    ("root", web(securityContext={"runAsUser": 0, "runAsNonRoot": False}), "run as root"),
    ("a writable root", web(securityContext={"readOnlyRootFilesystem": False}), "weakens readOnlyRootFilesystem"),
    (
        "capabilities",
        web(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}),
        "gives containers[web] capabilities",
    ),
    ("seccomp off", web(securityContext={"seccompProfile": {"type": "Unconfined"}}), "weakens seccompProfile"),
    (
        "the whole context removed",
        patched("Deployment", drop(f"{WEB}/securityContext")),
        "weakens runAsNonRoot",
    ),
    ("the host's network", pod(hostNetwork=True), "sets hostNetwork"),
    ("the host's processes", pod(hostPID=True), "sets hostPID"),
    ("a path of the host", pod(volumes=[{"name": "etc", "hostPath": {"path": "/etc"}}]), "mounts a path of the host"),
    ("a port of the host", web(ports=[{"containerPort": 8000, "hostPort": 80}]), "opens a port of the host"),
    (
        "a privileged side car",
        pod(containers=[{"name": "debug", "image": "busybox:1.36", "securityContext": {"privileged": True}}]),
        "makes containers[debug] privileged",
    ),
    ("a token mounted", pod(automountServiceAccountToken=True), "mounts the service account's token"),
    (
        "a token projected",
        pod(volumes=[{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]),
        "mounts a token of the service account",
    ),
    ("another account", pod(serviceAccountName="admin"), "runs the pods as another service account (admin)"),
    ("limits removed", patched("Deployment", drop(f"{WEB}/resources/limits")), "removes the memory limit"),
    ("a node of one's own", pod(nodeName="node-1"), "binds the pods to a node"),
    ("a system's priority", pod(priorityClassName="system-node-critical"), "gives the pods the priority"),
    ("shared processes", pod(shareProcessNamespace=True), "see each other's processes"),
    (
        "another selector",
        applied("Deployment", {"spec": {"selector": {"matchLabels": {"app": "other"}}}}),
        "changes the selector",
    ),
    ("a Service without pods", patched("Service", drop("/spec/selector")), "takes the selector away"),
    ("a Service to the outside", applied("Service", {"spec": {"type": "LoadBalancer"}}), "of type LoadBalancer"),
    ("addresses of one's own", applied("Service", {"spec": {"externalIPs": ["192.0.2.1"]}}), "sets externalIPs"),
    (
        "a line for a shell",
        web(command=["sh", "-c", "while true; do sleep 1; done"]),
        "replaces the program of containers[web] by a line for a shell",
    ),
    ("no program", web(command=["sleep", "infinity"]), "one that does nothing (sleep)"),
    ("a Secret", applied("Secret", {"stringData": {"token": "changed"}}), "no trial covers objects of kind Secret"),
    ("a finalizer", applied("Deployment", {"metadata": {"finalizers": ["example.com/never"]}}), "metadata.finalizers"),
    (
        "an owner",
        applied(
            "Deployment",
            {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "web", "uid": "u"}]}},
        ),
        "metadata.ownerReferences",
    ),
    (
        "past the policy engine",
        applied("Deployment", {"metadata": {"labels": {"admission.gatekeeper.sh/ignore": "true"}}}),
        "by which others decide",
    ),
    (
        "past the mesh",
        applied(
            "Deployment", {"spec": {"template": {"metadata": {"annotations": {"sidecar.istio.io/inject": "false"}}}}}
        ),
        "by which others decide",
    ),
    (
        "past AppArmor",
        applied(
            "Deployment",
            {
                "spec": {
                    "template": {
                        "metadata": {
                            "annotations": {"container.apparmor.security.beta.kubernetes.io/web": "unconfined"}
                        }
                    }
                }
            },
        ),
        "by which others decide",
    ),
    ("a redacted value", web(env=[{"name": "MODE", "value": "<redacted:token:000001>"}]), "writes a redacted value"),
    ("a node", applied("Node", {"spec": {"unschedulable": True}}, "node-1"), "cluster-scoped"),
    ("a volume", applied("PersistentVolume", {"spec": {"capacity": {"storage": "1Ti"}}}), "cluster-scoped"),
    (
        "a definition",
        applied("CustomResourceDefinition", {"spec": {}}, "incidents.aegis.io"),
        "cluster-scoped",
    ),
    (
        "a webhook",
        applied("ValidatingWebhookConfiguration", {"webhooks": []}),
        "cluster-scoped",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where the command lines are given."""

    recording: Recording
    actors: Actors
    folder: Path

    async def fix(self, number: int, changes: list[dict[str, Any]]) -> Ended:
        path = self.folder / f"{number}.yaml"
        path.write_text(json.dumps(changes), encoding="utf-8")
        words = ["fix", "deploy/web", "-n", "shop", "--yes", "--changes", str(path), "-o", "json"]
        act = await self.actors.start([*words, "--kubeconfig", str(self.recording.kubeconfig)], self.folder)
        return await act.ended()


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with api_server(tmp_path) as kubeconfig:
        async with connect(KubeOptions(kubeconfig=kubeconfig)) as driver:
            for obj in OBJECTS:
                await driver.create(obj)
        (tmp_path / "acts").mkdir()
        async with recording_proxy(kubeconfig) as recording, Actors(tmp_path / "acts").ready() as actors:
            yield Desk(recording=recording, actors=actors, folder=tmp_path)


def wrong(name: str, reason: str, ended: Ended) -> str:
    """What is not as it should be about a refusal; empty where all is."""
    lines = ended.err.splitlines()
    held = ended.status == 4 and ended.out == "" and len(lines) == 1 and lines[0].startswith("aegis: ")
    return "" if held and reason in lines[0] else f"{name}: {ended.status} {ended.out[:200]} {ended.err[:400]}"


async def test_each_bad_fix_is_refused_with_its_reason_and_nothing_is_written(desk: Desk) -> None:
    gate, told = asyncio.Semaphore(2), dict.fromkeys(name for name, _, _ in BAD)
    found: list[str] = []

    async def one(number: int, name: str, change: dict[str, Any], reason: str) -> None:
        async with gate:
            found.append(wrong(name, reason, await desk.fix(number, [change])))

    async with asyncio.TaskGroup() as group:
        for number, (name, change, reason) in enumerate(BAD):
            group.create_task(one(number, name, change, reason))
    assert len(found) == len(told) == len(BAD)
    assert [line for line in found if line] == []
    assert desk.recording.writes() == []


async def test_a_bad_change_behind_a_good_one_is_seen(desk: Desk) -> None:
    good = web(env=[{"name": "MODE", "value": "slow"}])
    for number, changes in enumerate(([good, applied("Service", {"spec": {"type": "NodePort"}})], [good, BAD[0][1]])):
        ended = await desk.fix(number, changes)
        assert ended.status in {2, 4}, ended.err
    assert desk.recording.writes() == []


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Theatre]:
    async with theatre(tmp_path) as found:
        yield found


INVENTED = """
- target: {kind: Deployment, name: web}
  type: apply
  patch:
    spec:
      template:
        spec:
          containers:
            - {name: web, image: "busybox:1.36", env: [{name: DATABASE, value: "postgres://made.up/of"}]}
"""


@pytest.mark.namespaces
async def test_an_invented_value_that_a_trial_cannot_tell_from_a_true_one_needs_a_person(stage: Theatre) -> None:
    world = await stage.world()
    world.changes = world.folder / "invented.yaml"
    world.changes.write_text(INVENTED, encoding="utf-8")
    ended = await world.run(*world.fix())
    assert (ended.status, ended.report["phase"]) == (4, "AwaitingApproval"), ended.err
    assert ended.report["verdict"]["decision"] == "ACCEPT"
    assert ended.report["fix"]["risk"] == "high"
    assert "containers[web].env[DATABASE] of Deployment/web" in ended.report["fix"]["summary"]
    assert "--yes does not answer for high risk (the given change of Deployment/web in shop-1, with values" in ended.err
    assert world.writes() == []
    approved = await world.run("incident", "approve", ended.report["incident"], "--yes", *world.at)
    assert approved.status == 4, "no --yes answers for it"
    assert world.writes() == []
