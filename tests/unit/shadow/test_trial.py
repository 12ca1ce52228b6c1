"""The order of a trial, and what it never does, on a cluster in memory."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aegis.errors import NotFound, Refused
from aegis.model.changes import Apply, ChangeSet, Fix, Risk
from aegis.model.refs import ObjectRef
from aegis.model.symptom import Manner, Signature
from aegis.model.verdict import Decision, Outcome
from aegis.shadow.closure import Closure
from aegis.shadow.survey import Production
from aegis.shadow.tools import TrialTools
from aegis.shadow.trial import TrialRequest, TrialResult, rules_for, run_trial

Json = dict[str, Any]

TARGET = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")
PROD_POD = "web-abc-prod"


def deployment(**container: Any) -> Json:
    spec = {
        "containers": [{"name": "web", "image": "broken", **container}],
        "volumes": [{"name": "k", "secret": {"secretName": "k"}}],
    }
    template = {"metadata": {"labels": {"app": "web"}}, "spec": spec}
    metadata = {"name": "web", "namespace": "shop"}
    body = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": body}


def fix(**container: Any) -> Fix:
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "web", **container}]}}}}
    changes = (Apply(target=TARGET, patch=patch),)
    change_set = ChangeSet(target=TARGET, target_uid="", base_generation=0, spec_hash="", changes=changes)
    return Fix(id="f", summary="", change_set=change_set, risk=Risk.LOW)


def request(**more: Any) -> TrialRequest:
    return TrialRequest(**{"incident": "inc-1", "shadow_id": "s1", "target": TARGET, "fix": fix(image="good"), **more})


@pytest.fixture
def production(fake: Any, make_crash: Callable[..., None], make_well: Callable[..., None]) -> Any:
    """A Deployment whose pods crash with the image `broken` and run with `good`, and a Secret that it mounts."""

    def behave(pod: Json) -> None:
        (make_crash if pod["spec"]["containers"][0]["image"] == "broken" else make_well)(pod)

    def log(pod: Json) -> str:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        if name != "aegis-reach":
            return "fatal: boom\n"
        plan = json.loads(fake.objects["ConfigMap", namespace, name]["data"]["plan.json"])
        return json.dumps({**dict.fromkeys(plan["control"], True), **dict.fromkeys(plan["forbidden"], False)})

    fake.behaviour, fake.log = behave, log
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "k", "namespace": "shop"},
        "data": {"p": "aHVudGVyMmh1bnRlcjI="},
    }
    pod = {"apiVersion": "v1", "kind": "Pod", **deployment()["spec"]["template"]}
    pod["metadata"] = {
        "name": PROD_POD,
        "namespace": "shop",
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web-abc"}],
    }
    behave(pod)
    fake.put(deployment(), secret, pod)
    return fake


def gate(result: TrialResult, name: str) -> Outcome:
    return next(one.outcome for one in result.verdict.gates if one.gate == name)


async def test_red_then_green(production: Any, tools: TrialTools) -> None:
    result = await run_trial(request(), tools)
    assert (result.verdict.decision, result.verdict.reason) == (Decision.ACCEPT, "Accepted")
    names = [one.gate for one in result.verdict.gates]
    scanned = ["podsecurity", "kubesec", "semgrep", "trivy"]
    assert names[:9] == ["isolation", *scanned, "rollout", "reproduction", "health", "smoke"]
    assert gate(result, "smoke") is Outcome.SKIPPED
    assert "Secret k holds made-up values of the same shape" in result.verdict.gaps
    assert await production.list("v1", "Namespace") == []
    assert {call[2] for call in production.calls if call[1] != "Namespace"} == {
        "aegis-shadow-s1-r",
        "aegis-shadow-s1-c",
    }


async def test_nothing_is_copied_before_isolation_is_proved(production: Any, tools: TrialTools) -> None:
    await run_trial(request(), tools)
    kinds = [call[1] for call in production.calls]
    proved = max(i for i, call in enumerate(production.calls) if call[1] == "Pod" and call[3] == "aegis-reach")
    assert kinds.index("Secret") > proved
    assert kinds.index("Deployment") > proved
    fences = [i for i, call in enumerate(production.calls) if call[1] == "NetworkPolicy"]
    assert max(fences) < min(i for i, call in enumerate(production.calls) if call[1] == "Pod")


async def test_a_leak_ends_the_trial_before_a_secret_is_copied(production: Any, tools: TrialTools) -> None:
    honest = production.log

    def leak(pod: Json) -> str:
        text = honest(pod)
        return json.dumps(dict.fromkeys(json.loads(text), True)) if pod["metadata"]["name"] == "aegis-reach" else text

    production.log = leak
    result = await run_trial(request(), tools)
    assert (result.verdict.decision, result.verdict.reason) == (Decision.INCONCLUSIVE, "Infrastructure")
    assert gate(result, "isolation") is Outcome.ERRORED
    assert not [call for call in production.calls if call[1] in {"Secret", "Deployment"}]
    assert await production.list("v1", "Namespace") == []


async def test_a_control_that_is_not_reached_proves_nothing(production: Any, tools: TrialTools) -> None:
    honest = production.log

    def deaf(pod: Json) -> str:
        text = honest(pod)
        return json.dumps(dict.fromkeys(json.loads(text), False)) if pod["metadata"]["name"] == "aegis-reach" else text

    production.log = deaf
    result = await run_trial(request(), tools)
    assert result.verdict.decision is Decision.INCONCLUSIVE
    assert gate(result, "isolation") is Outcome.ERRORED


async def test_a_probe_that_says_nothing_proves_nothing(production: Any, tools: TrialTools) -> None:
    production.log = lambda _: ""
    result = await run_trial(request(), tools)
    assert gate(result, "isolation") is Outcome.ERRORED


async def test_a_fix_that_crashes_as_before_is_rejected(production: Any, tools: TrialTools) -> None:
    result = await run_trial(request(fix=fix(image="broken")), tools)
    assert (result.verdict.decision, result.verdict.reason) == (Decision.REJECT, "GateRejected")


async def test_a_new_crash_with_made_up_secrets_is_not_blamed_on_the_fix(
    production: Any, tools: TrialTools, make_crash: Callable[..., None]
) -> None:
    def behave(pod: Json) -> None:
        make_crash(pod)
        if pod["spec"]["containers"][0]["image"] == "good":
            pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] = 7

    honest = production.behaviour
    production.behaviour = lambda pod: (honest if "aegis.io/probe" in pod["metadata"].get("labels", {}) else behave)(
        pod
    )
    result = await run_trial(request(), tools)
    assert result.verdict.decision is Decision.INCONCLUSIVE


async def test_a_fix_that_makes_pods_less_secure_never_runs(production: Any, tools: TrialTools) -> None:
    worse = fix(image="good", securityContext={"capabilities": {"add": ["NET_RAW"]}})
    result = await run_trial(request(fix=worse), tools)
    assert result.verdict.decision is Decision.REJECT
    assert gate(result, "podsecurity") is Outcome.FAILED
    assert not [call for call in production.objects if call[0] == "Pod" and call[1].startswith("aegis-shadow")]
    assert result.security is not None
    assert [finding.rule_id for finding in result.security.new] == ["pss-baseline-capabilities"]


async def test_a_target_that_is_not_there(fake: Any, tools: TrialTools) -> None:
    with pytest.raises(NotFound):
        await run_trial(request(), tools)


async def test_a_healthy_target_has_nothing_to_reproduce(
    production: Any, tools: TrialTools, make_well: Callable[..., None]
) -> None:
    make_well(production.objects["Pod", "shop", PROD_POD])
    result = await run_trial(request(), tools)
    assert (result.verdict.decision, result.verdict.reason) == (Decision.INCONCLUSIVE, "NotReproduced")
    assert production.calls == []


async def test_without_an_incident_a_healthy_one_is_no_regression(
    production: Any, tools: TrialTools, make_well: Callable[..., None]
) -> None:
    production.behaviour = make_well
    result = await run_trial(request(reproduce=False), tools)
    assert result.verdict.decision is Decision.ACCEPT
    assert gate(result, "reproduction") is Outcome.SKIPPED


async def test_what_reaches_the_node_is_not_even_begun(production: Any, tools: TrialTools) -> None:
    production.put(deployment(securityContext={"privileged": True}))
    result = await run_trial(request(), tools)
    assert result.verdict.decision is Decision.INCONCLUSIVE
    assert "privileged" in result.verdict.gates[0].reason
    assert production.calls == []


async def test_errors_of_side_by_side_work_come_out_as_one(production: Any, tools: TrialTools) -> None:
    def broken(pod: Json) -> None:
        raise Refused("no")

    production.behaviour = broken
    result = await run_trial(request(), tools)
    assert gate(result, "isolation") is Outcome.ERRORED
    production.objects.pop(("ServiceAccount", "shop", "default"), None)
    assert await production.list("v1", "Namespace") == []


async def test_an_error_in_the_middle_cleans_up_and_is_raised(production: Any, tools: TrialTools) -> None:
    honest = production.behaviour

    def broken(pod: Json) -> None:
        if "aegis.io/probe" not in pod["metadata"].get("labels", {}):
            raise Refused("quota")
        honest(pod)

    production.behaviour = broken
    with pytest.raises(Refused, match="quota"):
        await run_trial(request(), tools)
    assert await production.list("v1", "Namespace") == []


async def test_a_namespace_that_stays_is_a_gap_and_no_lost_verdict(production: Any, tools: TrialTools) -> None:
    production.stuck.add("aegis-shadow-s1-c")
    result = await run_trial(request(), replace(tools, limits=replace(tools.limits, deletion_seconds=0.3)))
    assert result.verdict.decision is Decision.ACCEPT
    assert any("aegis-shadow-s1-c" in gap for gap in result.verdict.gaps)


async def test_a_cluster_without_policies_is_a_gap_and_tries_one_pod(production: Any, tools: TrialTools) -> None:
    bare = replace(tools, cluster=replace(tools.cluster, gaps=("network policies: pods are plain processes",)))
    result = await run_trial(request(), replace(bare, limits=replace(bare.limits, copy_secrets=("shop/k",))))
    assert gate(result, "isolation") is Outcome.SKIPPED
    assert any(gap.startswith("isolation: this cluster does not enforce") for gap in result.verdict.gaps)
    assert "Secret k holds made-up values of the same shape" in result.ledger, "not even an allowed Secret is copied"


def test_the_rules_follow_the_workload_and_the_symptom() -> None:
    obj = deployment(
        readinessProbe={"periodSeconds": 60, "failureThreshold": 3},
        startupProbe={"periodSeconds": 100, "failureThreshold": 9},
    )
    seen = Production(
        known={TARGET: obj},
        found=Closure(target=TARGET, subjects=(TARGET,)),
        pods=(),
        limit_ranges=(),
        signature=Signature(manner=Manner.PULL),
        between_crashes=500.0,
    )
    rules = rules_for(seen, request())
    assert (rules.crash, rules.stable_for, rules.rollout_deadline, rules.give_up) == (False, 360, 1200, 1500)


def test_a_scaled_cluster_is_given_real_time_to_start_and_nothing_else() -> None:
    seen = Production(
        known={TARGET: deployment()},
        found=Closure(target=TARGET, subjects=(TARGET,)),
        pods=(),
        limit_ranges=(),
        signature=Signature(manner=Manner.NO_ENDPOINTS),
        between_crashes=None,
    )
    real, scaled = rules_for(seen, request()), rules_for(seen, request(), 60.0)
    assert (real.rollout_deadline, real.symptom_deadline, real.believed_after) == (600, 300, 600)
    assert (scaled.rollout_deadline, scaled.symptom_deadline, scaled.believed_after) == (1200, 1200, 1200)
    for field in ("crashes_needed", "at_least", "at_most", "give_up", "stable_for", "transitions", "alpha"):
        assert getattr(real, field) == getattr(scaled, field)


async def test_a_fix_cannot_open_the_shadow_it_is_tried_in(production: Any, tools: TrialTools) -> None:
    policy = ObjectRef(api_version="networking.k8s.io/v1", kind="NetworkPolicy", name="web", namespace="shop")
    everywhere = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": 5432}]}
    opening = Apply(target=policy, patch={"spec": {"podSelector": {}, "egress": [everywhere]}})
    given = fix(image="good")
    assert given.change_set is not None
    both = replace(given, change_set=replace(given.change_set, changes=(*given.change_set.changes, opening)))
    result = await run_trial(request(fix=both), tools)
    assert result.verdict.decision is Decision.INCONCLUSIVE
    assert gate(result, "rollout") is Outcome.ERRORED
    assert not [call for call in production.calls if call[1] == "NetworkPolicy" and call[3] == "web"]
