"""Proofs of concept and ZAP against real arms: pods in namespaces of their own, policies that hold, and nothing left behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.actuator import ClusterActuator, Rules
from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.localcluster.cluster import LocalCluster
from aegis.localcluster.options import ClusterOptions
from aegis.model.refs import ObjectRef
from aegis.model.scan import ScanStatus
from aegis.model.verdict import Outcome
from aegis.security.sandbox import ProofOfConcept, SandboxRules, load_proof
from aegis.shadow.errand import said, standing, until_ended
from aegis.shadow.exploiting import Yard, attempt
from aegis.shadow.namespace import Shadow, arms, expiry
from aegis.shadow.probe import LISTENER_PORT, Place, config_map, probe_pod, wait_for_pod
from aegis.shadow.stage import fence_off
from aegis.shadow.tools import TrialTools
from aegis.shadow.zapping import ZapRules, scan_arm
from aegis.stores.audit import FileAuditLog
from aegis.stores.mode import FileMode

HERE = Path(__file__).parent
PLAYER = "zap-player:1"
TARGET = ObjectRef(api_version="apps/v1", kind="Deployment", name="files", namespace="shop")


def proof(name: str, **changes: Any) -> ProofOfConcept:
    return replace(load_proof(HERE / "proofs" / f"{name}.yaml"), **changes)


@pytest.fixture
async def tools(tmp_path: Path) -> AsyncIterator[TrialTools]:
    """A cluster whose registry has an image that plays ZAP."""
    images = tmp_path / "images"
    images.mkdir()
    player = HERE.parents[1] / "support" / "zap_baseline.py"
    (images / player.name).write_bytes(player.read_bytes())
    files = {"/usr/local/bin/zap-baseline.py": {"from": player.name, "mode": 0o755}}
    image = {"reference": PLAYER, "base": "python:3.12-slim", "files": files}
    (images / "zap.yaml").write_text(yaml.safe_dump(image), encoding="utf-8")
    options = ClusterOptions(state=tmp_path / "cluster", time_scale=60.0, nodes=1, images=(images,))
    async with LocalCluster(options) as local, connect(KubeOptions(kubeconfig=local.kubeconfig)) as driver:
        cluster = await driver.cluster()
        if any("networkpolic" in gap.lower() for gap in cluster.gaps):
            pytest.skip("this machine does not allow namespaces, so that no policy is enforced")
        actuator = ClusterActuator(
            reader=driver,
            writer=driver,
            audit=FileAuditLog(tmp_path / "audit", anchor=tmp_path / "anchor"),
            mode=FileMode(tmp_path),
            rules=Rules(gitops_owner=lambda _: None),
            actor=await driver.whoami(),
        )
        yield TrialTools(reader=driver, actuator=actuator, progress=lambda *_args, **_facts: None, cluster=cluster)


async def furnished(place: Place, *, safe: bool) -> Yard:
    """The service in an arm, ready."""
    await fence_off(place, [])
    for obj in yaml.safe_load_all((HERE / "manifests" / "files.yaml").read_text(encoding="utf-8")):
        obj["metadata"]["namespace"] = place.namespace
        if obj["kind"] == "Deployment":
            obj["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = str(int(safe))
        await place.create(obj)
    async with place.tools.watch("v1", "Pod", place.namespace, labels="app=files") as events:
        async for event in events:
            conditions = (event.object.get("status") or {}).get("conditions") or []
            if any((one["type"], one["status"]) == ("Ready", "True") for one in conditions):
                break
    workload = await place.tools.reader.get(TARGET.within(place.namespace))
    pods = await place.tools.reader.list("v1", "Pod", namespace=place.namespace, labels="app=files")
    return Yard(place=place, workloads=[workload], pods=pods, forbidden=["kubernetes.default.svc:443"], seconds=20.0)


@asynccontextmanager
async def neighbour(place: Place) -> AsyncIterator[str]:
    """The address of another pod of the arm that takes connections."""
    name = "control-listener"
    pod = probe_pod(place.namespace, name, "python:3.12-slim", [str(LISTENER_PORT)], once=False)
    async with standing(place, [config_map(place.namespace, name, "listen", {}), pod]):
        async with asyncio.timeout(30):
            running = await wait_for_pod(place, name, phases=("Running",))
        yield f"{running['status']['podIP']}:{LISTENER_PORT}"


async def reached_by_a_probe(place: Place, addresses: str) -> str:
    """What a pod of the arm that is no proof can do with the script of `escape`: the control."""
    script = config_map(place.namespace, "control", "reach", {})
    script["data"]["script.py"] = proof("escape").script
    pod = probe_pod(place.namespace, "control", "python:3.12-slim", [addresses])
    pod["spec"]["containers"][0]["env"] = [{"name": "AEGIS_TARGET", "value": "files:80"}]
    async with standing(place, [script, pod]):
        ended = await until_ended(place, "control", "probe", seconds=20, patience=30)
        return await said(place, ended.pod, "probe", limit_bytes=1000)


async def test_exploitable_before_and_not_after_and_held_to_its_target(tools: TrialTools) -> None:
    shadow = Shadow(id="e1", incident="inc-e1", target=TARGET, expires_at=expiry(datetime.now(UTC), longest=60))
    async with arms(shadow, ("r", "c"), tools):
        before, after = [
            await furnished(
                Place(tools=tools, purpose=shadow.purpose(("r", "c")), arm=arm, namespace=shadow.namespace(arm)),
                safe=arm == "c",
            )
            for arm in ("r", "c")
        ]
        found = await attempt(proof("path-traversal"), before)
        assert (found.word, found.status, found.reason) == ("true", 0, "")
        assert found.evidence == ("root:x:0:0:root:/root:/bin/sh",)
        found = await attempt(proof("path-traversal"), after)
        assert (found.word, found.evidence) == ("false", ("held off with 404",))

        pod, other = after.pods[0]["status"]["podIP"], before.pods[0]["status"]["podIP"]
        async with neighbour(after.place) as beside:
            control = await reached_by_a_probe(after.place, f"{beside},{pod}:8000,{other}:8000")
            assert control.strip() == f"worked: {beside}, {pod}:8000, names, the cluster's name server"
            elsewhere = f"{beside},{other}:8000,kubernetes.default.svc:443,10.96.0.1:443,10.96.0.10:53"
            found = await attempt(proof("escape", command=("python", "/proof/script", elsewhere)), after)
            assert (found.word, found.evidence) == ("false", ("worked: nothing",)), found
            found = await attempt(proof("path-traversal"), replace(after, forbidden=[f"{pod}:8000"], patience=0.2))
            assert found.word == "unknown"
            assert f"{pod}:8000 can be reached" in found.reason

        script = "import time\nprint('on', flush=True)\ntime.sleep(600)\n"
        endless = replace(proof("path-traversal"), name="endless", script=script)
        found = await attempt(endless, replace(after, seconds=1.0))
        assert (found.word, found.reason, found.evidence) == ("unknown", "it did not end within 1 s", ("on",))

        rules = ZapRules(image=PLAYER, seconds=20.0)
        unsafe = await scan_arm(before.place, "http://files:80/", rules)
        assert (unsafe.status, {one.rule_id for one in unsafe.findings}) == (ScanStatus.FINDINGS, {"10038-1", "10021"})
        clean = await scan_arm(after.place, "http://files:80/", rules)
        assert (clean.status, clean.findings) == (ScanStatus.CLEAN, ()), clean.reason
        missing = await scan_arm(after.place, "http://nowhere:80/", rules)
        assert missing.status is ScanStatus.ERROR
        absent = await scan_arm(after.place, "http://files:80/", ZapRules(image="no-such-image:1"))
        assert absent.status is ScanStatus.SKIPPED

        await _nothing_left(after.place)


async def _nothing_left(place: Place) -> None:
    """Of no proof, scan or control; pods take a moment to end."""
    kinds = (("batch/v1", "Job"), ("v1", "ConfigMap"), ("networking.k8s.io/v1", "NetworkPolicy"), ("v1", "Pod"))
    async with asyncio.timeout(20):
        while True:
            found = [one for kind in kinds for one in await place.tools.reader.list(*kind, namespace=place.namespace)]
            names = {one["metadata"]["name"] for one in found}
            if not {name for name in names if name.startswith(("aegis-proof", "aegis-zap", "control"))}:
                return
            await asyncio.sleep(0.1)


@pytest.mark.long
async def test_a_trial_refuses_what_a_proof_still_gets_into(world: Any, refs: Any) -> None:
    await world.driver.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    for obj in yaml.safe_load_all((HERE / "manifests" / "files.yaml").read_text(encoding="utf-8")):
        obj["metadata"]["namespace"] = "shop"
        await world.driver.apply(ObjectRef.of(obj), obj, manager="kubectl")
    await world.until(world.ready("shop"))
    sandbox = SandboxRules(enabled=True, seconds=20.0, proofs=(proof("path-traversal"),))
    world.tools = world.limited(exploit=sandbox)
    target = refs.deployment("files", "shop")
    for value, outcome in (("2", Outcome.FAILED), ("1", Outcome.PASSED)):
        change = refs.container(target, env=[{"name": "SAFE", "value": value}])
        result = await world.try_fix(target, change, shadow_id=f"e{value}", reproduce=False)
        (gate,) = [one for one in result.verdict.gates if one.gate == "exploit"]
        assert gate.outcome is outcome, gate
        assert "exploitable before" in gate.coverage
