from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from aegis.diagnosis.engine import diagnose, diagnose_all
from aegis.evidence.ledger import Ledger
from aegis.model.diagnosis import Confidence
from aegis.model.refs import ObjectRef
from aegis.model.symptom import Manner

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CRASH = {"waiting": {"reason": "CrashLoopBackOff"}, "ended": {"reason": "OOMKilled", "exitCode": 137}}
LIMITED = {"containers": [{"name": "web", "image": "web:1", "resources": {"limits": {"memory": "64Mi"}}}]}


def test_nothing_fails_in_what_is_well(world: Callable[..., Any]) -> None:
    found = world({"template": LIMITED, "good": LIMITED, "pod": {"running": True, "ready": True}}).diagnose()

    assert found.verdict is Confidence.HEALTHY
    assert (found.cause, found.root, found.fixes) == (None, None, ())
    assert found.explanation


def test_what_was_not_seen_is_not_healthy() -> None:
    target = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")

    assert diagnose((), target, now=NOW).verdict is Confidence.INCONCLUSIVE
    assert diagnose((), None, now=NOW).verdict is Confidence.INCONCLUSIVE
    assert diagnose_all((), now=NOW) == ()


def test_output_without_an_object_says_nothing_of_health() -> None:
    ledger = Ledger()
    ledger.log(ObjectRef(api_version="v1", kind="Pod", name="a", namespace="shop"), "web", "all is well\n")

    assert diagnose(ledger.evidence(), None, now=NOW).verdict is Confidence.INCONCLUSIVE


def test_a_crash_long_past_is_no_fault(world: Callable[..., Any]) -> None:
    old = {
        "running": True,
        "ready": True,
        "restarts": 1,
        "ended": {"exitCode": 1, "finishedAt": "2026-02-01T00:00:00Z"},
    }

    assert world({"template": LIMITED, "pod": old}).diagnose().cause is None
    assert (
        world({"template": LIMITED, "pod": {**old, "ended": {"exitCode": 1}}}).diagnose().verdict
        is not Confidence.HEALTHY
    )


def test_on_a_cluster_whose_time_passes_faster_a_crash_is_past_sooner(world: Callable[..., Any]) -> None:
    ended = {"exitCode": 1, "finishedAt": "2026-03-01T11:57:00Z"}
    pod = {"running": True, "ready": True, "restarts": 1, "ended": ended}
    later = [["ScalingReplicaSet", "Scaled up", "Deployment/other"]]  # a minute later, by which the time is told
    evidence = world({"template": LIMITED, "pod": pod, "events": later}).evidence()
    target = ObjectRef(api_version="v1", kind="Pod", name="web-2-aaaaa", namespace="shop")

    assert diagnose(evidence, target, now=NOW).verdict is not Confidence.HEALTHY
    assert diagnose(evidence, target, now=NOW, time_scale=20).verdict is Confidence.HEALTHY


def test_where_probes_follow_each_other_faster_a_program_still_has_time_to_start(world: Callable[..., Any]) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 2}
    failed = ["Unhealthy", "Readiness probe failed: dial tcp 10.0.0.1:80: connect: connection refused"]
    made = world({
        "template": {"containers": [{"name": "web", "image": "web:1", "readinessProbe": probe}]},
        "pod": {"running": True},
        "events": [failed, failed, failed],
    })
    items = list(made.evidence())
    state = next(item for item in items if item.subject.kind == "Pod").payload["status"]["containerStatuses"][0][
        "state"
    ]
    target = ObjectRef(api_version="v1", kind="Pod", name="web-2-aaaaa", namespace="shop")

    def verdict(started: str, scale: float) -> Confidence:
        state["running"]["startedAt"] = started
        return diagnose(items, target, now=NOW, time_scale=scale).verdict

    assert verdict("2026-03-01T11:57:59Z", 1) is not Confidence.HEALTHY
    assert verdict("2026-03-01T11:57:59Z", 20) is Confidence.HEALTHY
    assert verdict("2026-03-01T11:57:50Z", 20) is not Confidence.HEALTHY


def test_the_chain_leads_from_the_symptom_to_the_root(world: Callable[..., Any]) -> None:
    found = world({"template": LIMITED, "pod": CRASH}).diagnose()

    assert [link.ref.kind for link in found.chain] == ["Pod", "ReplicaSet", "Deployment"]
    assert all(link.because for link in found.chain)
    assert found.root == found.chain[-1].ref


def test_the_signature_is_that_of_the_failure(world: Callable[..., Any]) -> None:
    signature = world({"template": LIMITED, "pod": CRASH}).diagnose().signature

    assert (signature.manner, signature.reason, signature.exit_code, signature.container) == (
        Manner.CRASH,
        "OOMKilled",
        137,
        "web",
    )


def test_the_signature_is_of_the_workload_that_is_asked_about_not_of_its_dependency(world: Callable[..., Any]) -> None:
    container = {
        "name": "web",
        "image": "web:1",
        "env": [{"name": "DB_URL", "value": "http://db:5432"}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
    }
    crashing = {
        "name": "db",
        "ready": False,
        "restartCount": 4,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
    }
    case = {
        "template": {"containers": [container]},
        "pod": {"running": True},
        "events": [["Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"]],
        "objects": [
            {
                "kind": "Service",
                "metadata": {"name": "db"},
                "spec": {"selector": {"app": "db"}, "ports": [{"port": 5432}]},
            },
            {
                "kind": "Pod",
                "metadata": {"name": "db-0", "labels": {"app": "db"}},
                "spec": {"nodeName": "n", "containers": [{"name": "db", "resources": {"limits": {"memory": "32Mi"}}}]},
                "status": {"phase": "Running", "containerStatuses": [crashing]},
            },
        ],
        "listed": ["Pod", "Service"],
    }
    of_workload = world(case).diagnose()
    of_service = world({**case, "target": "Service/db"}).diagnose()

    assert (of_workload.cause, of_workload.signature.manner) == ("oom_limit", Manner.NOT_READY)
    assert (of_service.cause, of_service.signature.manner) == ("oom_limit", Manner.CRASH)


def test_every_citation_is_of_the_evidence(world: Callable[..., Any]) -> None:
    made = world({"template": LIMITED, "pod": CRASH})
    ids = {item.id for item in made.evidence()}

    assert {citation.evidence_id for citation in made.diagnose().citations} <= ids


def test_two_faults_of_one_pod_are_told_apart(world: Callable[..., Any]) -> None:
    template = {"containers": [LIMITED["containers"][0], {"name": "side", "image": "side:oops"}]}
    made = world({"template": template, "pod": {}})
    pods = [item for item in made.evidence() if item.subject.kind == "Pod"]
    status = {
        "phase": "Running",
        "containerStatuses": [
            {
                "name": "web",
                "restartCount": 3,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": CRASH["ended"]},
            },
            {"name": "side", "state": {"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}}},
        ],
    }
    ledger = Ledger()
    ledger.object({**pods[0].payload, "status": status})
    evidence = (*(item for item in made.evidence() if item.subject.kind != "Pod"), *ledger.evidence())

    found = made.diagnose(evidence)

    assert {found.cause, *(other.cause for other in found.also)} == {"oom_limit", "image_not_found"}


def test_a_fault_that_several_suffer_from_is_one(world: Callable[..., Any]) -> None:
    case = {
        "template": LIMITED,
        "pod": CRASH,
        "objects": [
            {
                "kind": "Service",
                "metadata": {"name": "web"},
                "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
            }
        ],
        "listed": ["Pod", "EndpointSlice"],
    }
    found = diagnose_all(world(case).evidence(), now=NOW)

    assert [(fault.cause, fault.target.kind) for fault in found] == [("oom_limit", "Deployment")]


def test_a_pod_is_mended_where_it_comes_from(world: Callable[..., Any]) -> None:
    found = world({"template": LIMITED, "pod": CRASH, "target": "Pod/web-2-aaaaa"}).diagnose()

    assert (found.root.kind, found.root.name) == ("Deployment", "web")
    assert found.target.kind == "Pod"


def test_an_owner_that_the_evidence_only_names_is_found_and_not_changed(world: Callable[..., Any]) -> None:
    made = world({"template": LIMITED, "pod": CRASH, "target": "Pod/web-2-aaaaa"})
    found = made.diagnose(tuple(item for item in made.evidence() if item.subject.kind == "Pod"))

    assert (found.root.kind, found.root.name) == ("Deployment", "web")
    assert found.fixes[0].needs == "human"


def test_an_autoscaler_owns_the_replicas(world: Callable[..., Any]) -> None:
    plain = {"template": LIMITED, "pod": CRASH}
    scaled = {
        **plain,
        "objects": [
            {
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "h"},
                "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}},
            }
        ],
    }
    hashes = [world(case).diagnose().fixes[0].change_set.spec_hash for case in (plain, scaled)]

    assert hashes[0] != hashes[1]
