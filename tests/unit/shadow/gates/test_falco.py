"""The Falco gate over a cluster in memory: each way in which a watch can fail, and what it says then."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from falco_logs import BEGAN, FalcoLogs, alert_line, at, falco_pod, stamp

from aegis.errors import PermissionDenied, Refused, Unavailable
from aegis.falco.priority import Priority
from aegis.model.refs import ObjectRef
from aegis.model.verdict import GateResult, Outcome
from aegis.ports import LogQuery, Purpose
from aegis.shadow.gates import falco
from aegis.shadow.gates.falco import PLUGIN
from aegis.shadow.probe import PROBE, Place
from aegis.shadow.roll import Resident, Roll

R, C, OTHER = "a" * 64, "c" * 64, "0" * 64


@dataclass(slots=True)
class Watch:
    """Two arms on two nodes, and Falco.

    Attributes:
        logs: of Falco.
        fake: the cluster.
        trial: what the gate looks at.
        deaf: nodes on which Falco hears no canary.
        text: Falco writes text.
    """

    logs: FalcoLogs
    fake: Any
    trial: Any
    deaf: set[str]
    text: bool = False

    async def judge(self) -> GateResult:
        for pod in self.logs.pods:
            self.fake.put(pod)
        return await PLUGIN.judge(self.trial)

    def hear(self, pod: dict[str, Any]) -> None:
        """What happens where a pod of the arm is made: it runs on its node, and Falco tells of the canary."""
        terms = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        node = terms["nodeSelectorTerms"][0]["matchFields"][0]["values"][0]
        container = ("f" if node == "node-1" else "e") * 64
        status = {"name": "probe", "containerID": f"containerd://{container}", "state": {"terminated": {"exitCode": 0}}}
        pod["spec"]["nodeName"] = node
        pod["status"] = {"phase": "Succeeded", "containerStatuses": [status]}
        for sentry in self.logs.pods:
            if sentry["spec"]["nodeName"] == node and node not in self.deaf:
                self.logs.lines[sentry["metadata"]["name"]].append((datetime.now(UTC), self.song(container[:12])))

    def song(self, container: str) -> str:
        now = stamp(datetime.now(UTC))
        if self.text:
            return f"{now[11:-1]}: Notice Keys were looked for | container_id={container} k8s_ns_name=shadow-c"
        return alert_line(container=container, ns="shadow-c", rule="Search Private Keys or Passwords", time=now)


WEB = ObjectRef(api_version="apps/v1", kind="Deployment", name="web", namespace="shop")


@pytest.fixture
def watch(fake: Any, tools: Any, monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr(falco, "_SETTLED", 0.0)
    monkeypatch.setattr(falco, "_FIRST_PAUSE", 0.01)
    logs, asked = FalcoLogs(), fake.logs

    async def read(namespace: str, pod: str, query: LogQuery) -> str:
        if pod in logs.lines:
            return await logs.logs(namespace, pod, query)
        answer: str = await asked(namespace, pod, query)
        return answer

    rules = replace(tools.limits.falco, drain_seconds=0.3)
    tools = replace(tools, limits=replace(tools.limits, falco=rules))
    purpose = Purpose(kind="shadow", incident="i", scope=("shadow-r", "shadow-c"))
    places = {
        arm: Place(tools=tools, purpose=purpose, arm=arm, namespace=f"shadow-{arm}", roll=roll(arm)) for arm in "rc"
    }
    trial = SimpleNamespace(tools=tools, places=places, request=SimpleNamespace(target=WEB), scanned={})
    made = Watch(logs=logs, fake=fake, trial=trial, deaf=set())
    fake.logs, fake.log, fake.behaviour = read, lambda _: '{"looked": true}\n', made.hear
    return made


def roll(arm: str) -> Roll:
    container, node = (R, "node-1") if arm == "r" else (C, "node-2")
    return Roll(opened=BEGAN, residents={f"uid-{arm}": Resident(name="web", node=node, containers={container: "web"})})


def standing(watch: Watch, *lines: str, node: str = "node-2", **pods: Any) -> Watch:
    """Falco on both nodes, whose log on C's holds these lines."""
    for one in ("node-1", "node-2"):
        watch.logs.put(falco_pod(f"falco-{one}", node=one, **pods), *(lines if one == node else ()))
    return watch


def limited(watch: Watch, **rules: Any) -> Watch:
    limits = watch.trial.tools.limits
    watch.trial.tools = replace(watch.trial.tools, limits=replace(limits, falco=replace(limits.falco, **rules)))
    return watch


def told(gate: GateResult) -> tuple[Outcome, bool]:
    """Its outcome, and whether the fix could be accepted with it."""
    return gate.outcome, not gate.required or gate.outcome is Outcome.PASSED


def of(container: str, seconds: float = 1.0, **more: Any) -> str:
    return alert_line(seconds, container=container[:12], process="cat", exe="/usr/bin/cat", **more)


async def test_a_proved_watch_that_saw_nothing_passes(watch: Watch) -> None:
    gate = await standing(watch).judge()
    assert told(gate) == (Outcome.PASSED, True), gate.reason
    assert "2 nodes for" in gate.coverage
    assert "2 pods in falco (app.kubernetes.io/name=falco)" in gate.coverage
    assert [key for key in watch.fake.objects if key[0] == "Pod" and key[1] == "shadow-c"] == [], "no canary is left"


async def test_an_alert_of_the_candidate_fails(watch: Watch) -> None:
    gate = await standing(watch, of(C)).judge()
    part, looks = watch.trial.scanned["falco"]
    [finding] = looks.findings_after
    assert (part.outcome, looks.findings_before) == ("FAILED", ())
    assert (finding.source, finding.subject, finding.severity.name) == ("falco", WEB, "HIGH")
    assert told(gate) == (Outcome.FAILED, False)
    assert not gate.inconclusive
    assert "Read sensitive file untrusted by /usr/bin/cat in container web (1 x)" in gate.reason


async def test_without_falco_it_is_skipped(watch: Watch) -> None:
    gate = await watch.judge()
    assert told(gate) == (Outcome.SKIPPED, True)
    assert gate.reason.startswith("no Falco was found in the cluster")


async def test_switched_off_it_is_skipped(watch: Watch) -> None:
    gate = await limited(standing(watch, of(C)), enabled=False).judge()
    assert told(gate) == (Outcome.SKIPPED, True)
    assert "security.falco_enabled" in gate.reason


async def test_where_pods_may_not_be_listed_it_is_errored(watch: Watch) -> None:
    async def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionDenied("not permitted: list pods in all namespaces")

    watch.fake.list = refuse
    gate = await standing(watch).judge()
    assert told(gate) == (Outcome.ERRORED, False)
    assert gate.inconclusive
    assert "security.falco_namespace" in gate.reason


@pytest.mark.parametrize(
    "error", [Unavailable("500 Internal Server Error"), Unavailable("no answer in time"), PermissionDenied("pods/log")]
)
async def test_a_log_that_cannot_be_read_is_errored(watch: Watch, error: Exception) -> None:
    watch.logs.errors["falco-node-2"] = error
    gate = await standing(watch).judge()
    assert told(gate) == (Outcome.ERRORED, False)
    assert "cannot be read" in gate.reason


async def test_a_node_without_falco_is_errored(watch: Watch) -> None:
    watch.logs.put(falco_pod("falco-node-2", node="node-2"))
    gate = await watch.judge()
    assert told(gate) == (Outcome.ERRORED, False)
    assert "no Falco watches node-1" in gate.reason


async def test_a_node_without_falco_does_not_hide_what_another_one_saw(watch: Watch) -> None:
    watch.logs.put(falco_pod("falco-node-2", node="node-2"), of(C))
    assert told(await watch.judge()) == (Outcome.FAILED, False)


async def test_events_that_falco_dropped_are_errored(watch: Watch) -> None:
    gate = await standing(watch, alert_line(3, rule="Falco internal: syscall event drop", source="internal")).judge()
    assert told(gate) == (Outcome.ERRORED, False)
    assert "Falco dropped events on node-2" in gate.reason


async def test_an_alert_without_a_namespace_is_errored(watch: Watch) -> None:
    gate = await standing(watch, of(OTHER)).judge()
    assert told(gate) == (Outcome.ERRORED, False)
    assert "1 alerts name no namespace" in gate.reason


async def test_an_alert_without_a_namespace_whose_container_is_known_is_whose_it_is(watch: Watch) -> None:
    status = {"name": "x", "containerID": f"containerd://{OTHER}", "state": {"running": {}}}
    elsewhere = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "namespace": "prod"}}
    watch.fake.put({**elsewhere, "spec": {"nodeName": "node-2"}, "status": {"containerStatuses": [status]}})
    assert told(await standing(watch, of(OTHER)).judge()) == (Outcome.PASSED, True)


async def test_a_canary_that_nobody_told_of_is_errored(watch: Watch) -> None:
    watch.deaf.add("node-2")
    gate = await standing(watch).judge()
    assert told(gate) == (Outcome.ERRORED, False)
    assert "Falco on node-2 did not tell of the canary" in gate.reason


async def test_a_canary_whose_container_nobody_knows_is_errored(watch: Watch, make_well: Any) -> None:
    watch.fake.behaviour = make_well
    gate = await standing(watch).judge()
    assert told(gate) == (Outcome.ERRORED, False)
    assert "has no container id" in gate.reason


@pytest.mark.parametrize(("lines", "outcome"), [((), Outcome.ERRORED), ((of(C),), Outcome.FAILED)])
async def test_a_canary_that_cannot_run_hides_no_alert(watch: Watch, lines: Any, outcome: Outcome) -> None:
    def full(_: Any) -> None:
        raise Refused("exceeded quota: aegis")

    watch.fake.behaviour = full
    gate = await standing(watch, *lines).judge()
    assert told(gate) == (outcome, False)
    assert outcome is Outcome.FAILED or "did not run: exceeded quota" in gate.reason


async def test_what_a_canary_sets_off_is_not_the_candidates(watch: Watch) -> None:
    gate = await limited(standing(watch), threshold=Priority.DEBUG).judge()
    assert told(gate) == (Outcome.PASSED, True)


async def test_a_pod_that_only_carries_our_label_is_the_workloads(watch: Watch, fake: Any) -> None:
    place = watch.trial.places["c"]
    status = {"name": "web", "containerID": f"containerd://{OTHER}", "state": {"running": {}}}
    metadata = {"name": "web-2", "uid": "uid-2", "labels": {PROBE: "aegis-canary-1"}}
    place.roll.see({"metadata": metadata, "spec": {}, "status": {"containerStatuses": [status]}})
    assert told(await standing(watch, of(OTHER)).judge()) == (Outcome.FAILED, False)


@pytest.mark.parametrize(
    ("container", "outcome"), [(C, Outcome.FAILED), (OTHER, Outcome.ERRORED), ("host", Outcome.PASSED), ("", None)]
)
async def test_text_is_read_too(watch: Watch, container: str, outcome: Outcome | None) -> None:
    watch.text = True
    line = f"12:00:01.000000000: Warning Opened | process=cat container_id={container[:12]} k8s_ns_name=<NA>"
    gate = await standing(watch, *([line] if outcome else [])).judge()
    assert told(gate) == ((outcome, outcome is Outcome.PASSED) if outcome else (Outcome.PASSED, True))


@pytest.mark.parametrize(
    "line",
    [
        of(C, priority="Notice"),
        of(OTHER, ns="shadow-c-prod"),
        of(OTHER, ns="prod"),
        of(C, seconds=-30),
        of(OTHER, seconds=-30, ns="shadow-c"),
        of(OTHER, source="k8s_audit"),
        "Sat Nov 21 12:00:02 2026: Falco initialized with configuration file /etc/falco/falco.yaml",
    ],
    ids=["priority", "like namespace", "namespace", "earlier", "earlier by name", "another source", "chatter"],
)
async def test_what_does_not_count(watch: Watch, line: str) -> None:
    assert told(await standing(watch, line).judge()) == (Outcome.PASSED, True)


async def test_what_both_arms_do_does_not_count(watch: Watch) -> None:
    watch.logs.put(falco_pod("falco-node-1", node="node-1"), of(R))
    watch.logs.put(falco_pod("falco-node-2", node="node-2"), of(C))
    gate = await watch.judge()
    assert told(gate) == (Outcome.PASSED, True)
    assert gate.coverage.endswith("1 alerts as without the fix")


async def test_a_third_arm_excuses_too(watch: Watch) -> None:
    good = replace(watch.trial.places["r"], arm="g", namespace="shadow-g", roll=Roll(opened=BEGAN))
    good.roll.residents["uid-g"] = Resident(name="web", node="node-1", containers={OTHER: "web"})
    watch.trial.places["g"] = good
    assert told(await standing(watch, of(C), of(OTHER)).judge()) == (Outcome.PASSED, True)


async def test_a_falco_that_restarted_meanwhile_is_errored(watch: Watch) -> None:
    gate = await standing(watch, started=at(10), ready=at(11), restarts=1).judge()
    assert told(gate) == (Outcome.ERRORED, False)
    assert "(re)started meanwhile" in gate.reason


async def test_a_falco_that_was_replaced_while_it_was_asked_is_errored(watch: Watch) -> None:
    standing(watch)
    heard = watch.fake.behaviour

    def replaced(pod: dict[str, Any]) -> None:
        heard(pod)
        watch.fake.put(falco_pod("falco-node-2", node="node-2", uid="another"))

    watch.fake.behaviour = replaced
    gate = await watch.judge()
    assert told(gate) == (Outcome.ERRORED, False)
    assert "came meanwhile" in gate.reason


async def test_an_alert_that_comes_with_the_canary_is_waited_for(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    watch.deaf |= {"node-1", "node-2"}
    limited(standing(watch), drain_seconds=20.0)

    heard = watch.logs.logs

    async def read(namespace: str, pod: str, query: LogQuery) -> str:
        if len(watch.logs.asked) == 6:
            watch.logs.write("falco-node-2", of(C, seconds=5), seconds=5)
            for number, container in (("1", "f"), ("2", "e")):
                watch.logs.lines[f"falco-node-{number}"].append((datetime.now(UTC), watch.song(container * 12)))
        return await heard(namespace, pod, query)

    monkeypatch.setattr(FalcoLogs, "logs", lambda _, *asked: read(*asked))
    assert told(await watch.judge()) == (Outcome.FAILED, False)
    assert len(watch.logs.asked) > 6


async def test_pods_that_only_call_themselves_falco_do_not_keep_it_busy(watch: Watch) -> None:
    for number in range(6):
        watch.logs.put(falco_pod(f"falco-{number}", node="node-1", namespace=f"team-{number}"))
    gate = await standing(watch).judge()
    assert told(gate) == (Outcome.ERRORED, False)
    assert "security.falco_namespace" in gate.reason
    assert watch.logs.asked == []


async def test_arms_without_pods_leave_nothing_to_watch(watch: Watch) -> None:
    for place in watch.trial.places.values():
        place.roll.residents.clear()
    assert told(await standing(watch).judge()) == (Outcome.SKIPPED, True)
