"""A remediation may be killed anywhere: afterwards there is one effect in production, nothing is left, the log is whole.

Each run is a process of its own that ends itself with SIGKILL at one place; then the same is asked for again.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from flow_world import World, api_server, world

SUPPORT = Path(__file__).parents[1] / "support"
STEPS = (
    "begin",
    "analyze",
    "choose-fix",
    "reserve-shadow",
    "try",
    "prepare-question",
    "ask-approval",
    "prepare-undo",
    "apply",
    "watch",
)
PLACES = [
    *(f"{step}: {moment}" for step in STEPS for moment in ("before", "done", "stored")),
    "trial: made",
    "trial: tried",
    "write: before",
    "write: done",
]


@pytest_asyncio.fixture
async def kubeconfig(tmp_path: Path) -> AsyncIterator[Path]:
    async with api_server(tmp_path) as path:
        yield path


async def driven(tmp_path: Path, kubeconfig: Path, places: list[str]) -> list[dict[str, Any]]:
    """How each run, and the one after it, ended."""
    runs = [{"namespace": f"n{number}", "place": place} for number, place in enumerate(places)]
    for item in runs:
        async with world(tmp_path, kubeconfig, item["namespace"]) as shop:
            await shop.make(colour="red", size="9")
    setup = tmp_path / "setup.json"
    setup.write_text(json.dumps({"kubeconfig": str(kubeconfig), "folder": str(tmp_path), "runs": runs}))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(SUPPORT / "flow_drive.py"),
        str(setup),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 170)
    assert process.returncode == 0, errors.decode()[-3000:]
    found: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert len(found) == len(runs)
    return found


async def assert_one_effect(shop: World, incident: str, place: str) -> None:
    assert await shop.data() == {"colour": "blue", "size": "9"}
    audit = list(shop.audit.records())
    real = [record for record in audit if record.detail.get("purpose") == "production" and not record.detail["dryRun"]]
    intended = [record for record in real if record.outcome == "intended"]
    done = [record for record in real if record.outcome == "done"]
    assert len(done) <= 1, "the change was made twice"
    assert len(intended) >= 1
    managed = (await shop.driver.get(shop.target))["metadata"]["managedFields"]
    assert sum(entry["manager"] == "aegis" for entry in managed) == 1
    assert shop.audit.verify() is None
    tools = await shop.tools()
    found = await tools.incidents.list()
    assert {one.phase.value for one in found} == {"Resolved"}
    mended = [one for one in found if one.reason != "Healthy"]
    assert len(mended) == 1, "one incident, taken up again"
    assert (len(found), incident) == (1, mended[0].id) or place == "watch: stored"


async def test_the_places_are_all_there_are(tmp_path: Path, kubeconfig: Path) -> None:
    """So that a new step cannot be forgotten here."""
    (run,) = await driven(tmp_path, kubeconfig, [""])
    assert run["first"]["signal"] == 0, run
    assert set(run["first"]["result"]["places"]) == set(PLACES)


@pytest.mark.parametrize("third", range(3))
async def test_killed_anywhere_it_ends_with_one_effect(tmp_path: Path, kubeconfig: Path, third: int) -> None:
    for run in await driven(tmp_path, kubeconfig, PLACES[third::3]):
        assert run["first"]["signal"] == signal.SIGKILL, run
        assert run["second"]["result"] is not None, run
        assert run["second"]["result"]["phase"] == "Resolved", run
        async with world(tmp_path, kubeconfig, run["namespace"]) as shop:
            await assert_one_effect(shop, run["second"]["result"]["id"], run["place"])
            left = [ns["metadata"]["name"] for ns in await shop.driver.list("v1", "Namespace")]
            live = [ns for ns in left if ns.startswith("aegis-shadow-")]
            for name in live:
                labels = {ns["metadata"]["name"]: ns for ns in await shop.driver.list("v1", "Namespace")}
                assert labels[name]["metadata"].get("deletionTimestamp"), f"{name} is orphaned after {run['place']}"
