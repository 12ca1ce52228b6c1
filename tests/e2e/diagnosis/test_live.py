"""Ordinary broken manifests on a real (local) cluster: what is found, and what would be changed."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from aegis.model.changes import change_to_dict
from aegis.model.diagnosis import Confidence, Diagnosis

# manifest: (target, cause, root, fix of the first fix, whether it can be made without a person)
EXPECTED: dict[str, tuple[str, str | None, str | None, str | None, bool]] = {
    "liveness-500": ("Deployment/web", "probe_kill", "Deployment/web", "roll-back", True),
    "readiness-503": ("Deployment/front", "oom_limit", "Deployment/backend", "raise-memory", True),
    "dependency-stopped": ("Deployment/front", "scaled_zero", "Deployment/backend", "scale-up", False),
    "dependency-cut-off": (
        "Deployment/front",
        "netpol_deny",
        "NetworkPolicy/backend-only-admin",
        "allow-traffic",
        True,
    ),
    "dependency-gone": ("Deployment/front", "svc_missing", "Service/backend", "create-service", False),
    "wrong-endpoint": ("Deployment/front", "env_wrong_endpoint", "Deployment/front", "set-endpoint", True),
    "unschedulable": ("Deployment/web", "sched_resources", "Deployment/web", "lower-request", True),
    "node-selector": ("Deployment/web", "sched_selector", "Deployment/web", "mend-selector", False),
    "config-map-missing": ("Deployment/web", "cm_missing", "Deployment/web", "cm-missing", False),
    "key-missing": ("Deployment/web", "key_missing", None, None, False),
    "secret-missing": ("Deployment/web", "secret_missing", "Deployment/web", "secret-missing", False),
    "command-not-found": ("Deployment/web", "cmd_not_found", "Deployment/web", "cmd-not-found", False),
    "quota": ("Deployment/web", "quota", "ResourceQuota/small", "quota", False),
    "limit-range": ("Deployment/web", "limitrange", "Deployment/web", "fit-limit-range", True),
    "service-account-missing": ("Deployment/web", "sa_missing", "Deployment/web", "sa-missing", False),
    "target-port": ("Service/web", "svc_targetport", "Service/web", "set-target-port", True),
    "init-waits": ("Deployment/web", "svc_missing", "Service/database", "create-service", False),
    "probe-path": ("Deployment/web", "readiness", "Deployment/web", "mend-probe", False),
    "bad-argument": ("Deployment/web", "cmd_bad", "Deployment/web", "restore-command", True),
    "unknown-crash": ("Deployment/web", None, None, None, False),
    "shell-variable": ("Deployment/web", "missing_env", "Deployment/web", "set-env", False),
    "never-pulled": ("Deployment/web", "image_not_found", "Deployment/web", "set-image", False),
    "healthy": ("Deployment/web", None, None, None, False),
}
_SECONDS = 40


async def test_broken_manifests_are_explained(live: Any) -> None:
    async with asyncio.TaskGroup() as group:
        for manifest in EXPECTED:
            group.create_task(live.apply(f"ns-{manifest}", manifest))

    wrong: dict[str, str] = {}
    deadline = time.monotonic() + _SECONDS
    waiting = dict(EXPECTED)
    while waiting and time.monotonic() < deadline:
        await asyncio.sleep(1)
        for manifest, expected in list(waiting.items()):
            found, _ = await live.look(f"ns-{manifest}", expected[0])
            wrong[manifest] = _difference(manifest, found)
            if not wrong[manifest]:
                del waiting[manifest]

    assert not {manifest: wrong[manifest] for manifest in waiting}

    again = [await live.look(f"ns-{manifest}", expected[0]) for manifest, expected in EXPECTED.items()]
    assert all(evidence for _, evidence in again)
    faults = await live.all("ns-readiness-503")
    assert [(fault.cause, fault.target.name) for fault in faults] == [("oom_limit", "backend")]
    assert await live.all("ns-healthy") == ()


def _difference(manifest: str, found: Diagnosis) -> str:
    _, cause, root, fix, automatic = EXPECTED[manifest]
    shown = f"{found.root.kind}/{found.root.name}" if found.root else None
    first = found.fixes[0] if found.fixes else None
    seen = (found.cause, shown if root else None, first.id if first and fix else None, bool(first and first.change_set))
    if manifest == "healthy":
        return "" if found.verdict is Confidence.HEALTHY else found.explanation
    if manifest == "unknown-crash":
        return "" if found.verdict is Confidence.INCONCLUSIVE else found.explanation
    if seen == (cause, root, fix, automatic):
        return ""
    changes = [change_to_dict(c) for c in first.change_set.changes] if first and first.change_set else []
    return f"{seen} {found.verdict} {found.explanation} {changes}"


@pytest.mark.parametrize("target", ["Deployment/web", "Service/web"])
async def test_few_calls_and_little_time(live: Any, target: str) -> None:
    await live.apply("ns-few", "healthy")
    await asyncio.sleep(2)
    before, began = sum(live.driver.api_calls.values()), time.perf_counter()

    found, evidence = await live.look("ns-few", target)

    assert found.verdict is Confidence.HEALTHY, found.explanation
    assert sum(live.driver.api_calls.values()) - before <= 25
    assert time.perf_counter() - began < 2
    assert not [item for item in evidence if item.source == "note" and "listed" not in item.payload]
