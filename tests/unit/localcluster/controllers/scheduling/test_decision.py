"""Which node takes a pod, and the words when none does."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.localcluster.api import Object
from aegis.localcluster.controllers.scheduling.decision import Placed, Unplaced, place, unbound
from aegis.localcluster.controllers.scheduling.requests import pod_requests
from aegis.localcluster.controllers.scheduling.snapshot import Snapshot

NO_VICTIMS = "No preemption victims found for incoming pod"
HOPELESS = "Preemption is not helpful for scheduling"


def node(name: str = "n1", *, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    room = {"cpu": "2", "memory": "1Gi", "pods": "10", "ephemeral-storage": "1Gi", **spec.pop("room", {})}
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": spec,
        "status": {"allocatable": room},
    }


def pod(name: str = "p", *, requests: dict[str, str] | None = None, **spec: Any) -> Object:
    container: dict[str, Any] = {"name": "c", "resources": {"requests": requests or {}}}
    if "host_port" in spec:
        container["ports"] = [{"containerPort": 80, "hostPort": spec.pop("host_port")}]
    return {
        "metadata": {"name": name, "namespace": spec.pop("namespace", "d"), "labels": spec.pop("labels", {})},
        "spec": {"containers": [container], **spec},
        "status": {},
    }


def snapshot(
    *nodes: Object,
    pods: tuple[Object, ...] = (),
    claims: tuple[Object, ...] = (),
    volumes: tuple[Object, ...] = (),
    classes: tuple[Object, ...] = (),
) -> Snapshot:
    spaces = [{"metadata": {"name": n, "labels": {"team": n}}} for n in ("d", "e")]
    return Snapshot.of(nodes or (node(),), pods, spaces, claims=claims, volumes=volumes, classes=classes)


def refused(incoming: Object, state: Snapshot) -> str:
    outcome = place(incoming, state)
    assert isinstance(outcome, Unplaced)
    return outcome.message


def placed(incoming: Object, state: Snapshot) -> str:
    outcome = place(incoming, state)
    assert isinstance(outcome, Placed), outcome
    return outcome.node


def test_a_request_above_every_node_helps_nobody_to_evict() -> None:
    message = refused(pod(requests={"cpu": "64"}), snapshot(node("n1"), node("n2")))
    assert message == (
        f"0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: 2 {HOPELESS}."
    )


def test_a_full_node_says_what_it_lacks() -> None:
    there = pod("there", requests={"cpu": "1500m", "memory": "1Gi"}, nodeName="n1")
    message = refused(pod(requests={"cpu": "1", "memory": "1Mi"}), snapshot(pods=(there,)))
    assert message == (
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. "
        f"preemption: 0/1 nodes are available: 1 {NO_VICTIMS}."
    )


def test_what_has_ended_takes_no_room() -> None:
    there = pod("there", requests={"cpu": "2"}, nodeName="n1")
    there["status"] = {"phase": "Succeeded"}
    assert placed(pod(requests={"cpu": "2"}), snapshot(pods=(there,))) == "n1"


def test_extended_resources_and_the_number_of_pods_count() -> None:
    assert "1 Insufficient nvidia.com/gpu" in refused(pod(requests={"nvidia.com/gpu": "1"}), snapshot())
    full = snapshot(node(room={"pods": "1"}), pods=(pod("there", nodeName="n1"),))
    assert "1 Too many pods" in refused(pod(), full)


def test_taints_need_tolerations() -> None:
    tainted = snapshot(node(taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]))
    assert "1 node(s) had untolerated taint {gpu: yes}" in refused(pod(), tainted)
    for toleration in (
        {"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"},
        {"key": "gpu", "operator": "Exists"},
        {"operator": "Exists"},
    ):
        assert placed(pod(tolerations=[toleration]), tainted) == "n1"
    for useless in ({"key": "gpu", "value": "no"}, {"key": "gpu", "operator": "Exists", "effect": "NoExecute"}):
        assert isinstance(place(pod(tolerations=[useless]), tainted), Unplaced)


def test_a_soft_taint_is_avoided() -> None:
    soft = node("z", taints=[{"key": "old", "effect": "PreferNoSchedule"}])
    assert placed(pod(), snapshot(node("a"), soft)) == "a"


def test_a_cordoned_node_takes_nothing() -> None:
    assert "1 node(s) were unschedulable" in refused(pod(), snapshot(node(unschedulable=True)))


def test_node_selectors_and_affinity() -> None:
    state = snapshot(node("a", labels={"disk": "ssd", "size": "5"}), node("b"))
    assert placed(pod(nodeSelector={"disk": "ssd"}), state) == "a"
    assert "2 node(s) didn't match Pod's node affinity/selector" in refused(pod(nodeSelector={"disk": "hdd"}), state)

    def wanting(**term: Any) -> Object:
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        return pod(affinity={"nodeAffinity": required})

    assert placed(wanting(matchExpressions=[{"key": "size", "operator": "Gt", "values": ["4"]}]), state) == "a"
    assert placed(wanting(matchFields=[{"key": "metadata.name", "operator": "In", "values": ["b"]}]), state) == "b"
    assert isinstance(place(wanting(), state), Unplaced)


def test_preferences_tip_the_scale() -> None:
    wish = {"weight": 100, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}}
    preferring = pod(affinity={"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}})
    assert placed(preferring, snapshot(node("a", labels={"disk": "x"}), node("b"))) == "a"


def test_host_ports_are_taken_once_a_node() -> None:
    there = pod("there", host_port=8080, nodeName="a")
    state = snapshot(node("a"), node("b"), pods=(there,))
    assert placed(pod(host_port=8080), state) == "b"
    both = snapshot(node("a"), pods=(there,))
    assert "1 node(s) didn't have free ports for the requested pod ports" in refused(pod(host_port=8080), both)
    assert placed(pod(host_port=8081), both) == "a"


def affine(kind: str, **term: Any) -> dict[str, Any]:
    base = {"labelSelector": {"matchLabels": {"app": "a"}}, "topologyKey": "kubernetes.io/hostname", **term}
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [base]}}


def test_affinity_goes_where_the_others_are() -> None:
    there = pod("there", labels={"app": "a"}, nodeName="b")
    state = snapshot(node("a"), node("b"), pods=(there,))
    assert placed(pod(affinity=affine("podAffinity")), state) == "b"
    elsewhere = pod(affinity=affine("podAffinity", namespaces=["e"]))
    assert "2 node(s) didn't match pod affinity rules" in refused(elsewhere, state)
    everywhere = pod(namespace="e", affinity=affine("podAffinity", namespaceSelector={}))
    assert placed(everywhere, state) == "b"


def test_the_first_of_its_kind_may_go_anywhere() -> None:
    assert placed(pod(labels={"app": "a"}, affinity=affine("podAffinity")), snapshot()) == "n1"
    assert isinstance(place(pod(affinity=affine("podAffinity")), snapshot()), Unplaced)


def test_anti_affinity_works_both_ways() -> None:
    there = pod("there", labels={"app": "a"}, nodeName="a")
    state = snapshot(node("a"), node("b"), pods=(there,))
    assert placed(pod(affinity=affine("podAntiAffinity")), state) == "b"
    only = snapshot(node("a"), pods=(there,))
    assert "1 node(s) didn't match pod anti-affinity rules" in refused(pod(affinity=affine("podAntiAffinity")), only)
    shy = pod("shy", affinity=affine("podAntiAffinity"), nodeName="a")
    taken = snapshot(node("a"), pods=(shy,))
    assert "1 node(s) didn't satisfy existing pods anti-affinity rules" in refused(pod(labels={"app": "a"}), taken)
    assert placed(pod(labels={"app": "b"}), taken) == "a"


def spread(**constraint: Any) -> list[dict[str, Any]]:
    base = {
        "maxSkew": 1,
        "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "a"}},
    }
    return [{**base, **constraint}]


def test_spread_keeps_the_skew() -> None:
    nodes = (node("a", labels={"zone": "1"}), node("b", labels={"zone": "2"}))
    there = tuple(pod(f"there{i}", labels={"app": "a"}, nodeName="a") for i in range(1))
    incoming = pod(labels={"app": "a"}, topologySpreadConstraints=spread())
    assert placed(incoming, snapshot(*nodes, pods=there)) == "b"
    blocked = snapshot(nodes[0], node("b", labels={"zone": "2"}, unschedulable=True), pods=there)
    assert "1 node(s) didn't match pod topology spread constraints" in refused(incoming, blocked)
    missing = snapshot(node("a"))
    assert "(missing required label)" in refused(incoming, missing)


def test_claims_are_looked_up() -> None:
    volume = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    assert 'persistentvolumeclaim "data" not found' in refused(pod(volumes=volume), snapshot())
    claim = {"metadata": {"name": "data", "namespace": "d"}, "spec": {}, "status": {"phase": "Pending"}}
    message = refused(pod(volumes=volume), snapshot(claims=(claim,)))
    assert "pod has unbound immediate PersistentVolumeClaims" in message
    bound = {**claim, "status": {"phase": "Bound"}}
    assert placed(pod(volumes=volume), snapshot(claims=(bound,))) == "n1"
    going = {**bound, "metadata": {**claim["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert 'persistentvolumeclaim "data" is being deleted' in refused(pod(volumes=volume), snapshot(claims=(going,)))


def test_a_claim_that_waits_for_its_pod_holds_nothing_up() -> None:
    one = pod(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}])
    claim = {"metadata": {"name": "data", "namespace": "d"}, "spec": {"storageClassName": "slow"}}
    patient = {"metadata": {"name": "slow"}, "volumeBindingMode": "WaitForFirstConsumer"}
    seen = snapshot(claims=(claim,), classes=(patient,))
    assert placed(one, seen) == "n1"
    assert unbound(one, seen) == [claim]


def test_a_volume_may_be_within_reach_of_some_nodes_only() -> None:
    one = pod(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}])
    claim = {
        "metadata": {"name": "data", "namespace": "d"},
        "spec": {"volumeName": "disk"},
        "status": {"phase": "Bound"},
    }
    here = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["n2"]}]}
    affinity = {"required": {"nodeSelectorTerms": [here]}}
    disk = {"metadata": {"name": "disk"}, "spec": {"nodeAffinity": affinity}}
    two = (node("n1"), node("n2", labels={"kubernetes.io/hostname": "n2"}))
    assert placed(one, snapshot(*two, claims=(claim,), volumes=(disk,))) == "n2"
    assert "didn't match PersistentVolume's node affinity" in refused(
        one, snapshot(node("n1"), claims=(claim,), volumes=(disk,))
    )


def test_without_nodes() -> None:
    assert refused(pod(), Snapshot.of([], [])) == "no nodes available to schedule pods"


def test_idle_nodes_come_first_and_replicas_spread() -> None:
    busy = pod("busy", requests={"cpu": "1"}, nodeName="b")
    assert placed(pod(), snapshot(node("a"), node("b"), pods=(busy,))) == "a"
    mine = pod("mine", nodeName="b")
    mine["metadata"]["ownerReferences"] = [{"uid": "rs", "controller": True}]
    incoming = pod()
    incoming["metadata"]["ownerReferences"] = [{"uid": "rs", "controller": True}]
    assert placed(incoming, snapshot(node("a"), node("b"), pods=(mine,))) == "a"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": [{"resources": {"limits": {"cpu": "2"}}}]}, "2"),
        (
            {
                "initContainers": [{"resources": {"requests": {"cpu": "3"}}}],
                "containers": [{"resources": {"requests": {"cpu": "1"}}}, {"resources": {"requests": {"cpu": "1"}}}],
                "overhead": {"cpu": "500m"},
            },
            "3.5",
        ),
        (
            {
                "initContainers": [
                    {"restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}},
                    {"resources": {"requests": {"cpu": "3"}}},
                ],
                "containers": [{"resources": {"requests": {"cpu": "1"}}}],
            },
            "4",
        ),
    ],
)
def test_what_a_pod_asks_for(spec: dict[str, Any], expected: str) -> None:
    assert f"{pod_requests(spec)['cpu'].normalize():f}" == expected
