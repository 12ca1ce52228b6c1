"""Run one remediation in a process that kills itself at a named place: `python flow_drive.py SETUP.json`.

The set-up names the kubeconfig, the folder and, for each run, the namespace and the place to die at. This process forks
for each run (importing everything once) and prints how each child ended; `second` runs without a place, as a person
would by calling `aegis fix` again.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from flow_world import World, world

from aegis.flows.remediation import open_incident, run
from aegis.model.changes import Change
from aegis.model.incident import Incident
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.model.security import SecurityComparison
from aegis.model.verdict import Verdict
from aegis.ports import Purpose

PREFIX = "aegis-shadow-"


class Fatal:
    """A checkpoint that ends the process without a word, as `kill -9` does, when its place is reached."""

    def __init__(self, place: str) -> None:
        self._place = place
        self.passed: list[str] = []

    def __call__(self, place: str) -> None:
        self.passed.append(place)
        if place == self._place:
            os.kill(os.getpid(), signal.SIGKILL)


class FatalWriter:
    """The driver's writes, with a place before and after each one that changes production for real."""

    def __init__(self, driver: Any, checkpoint: Fatal) -> None:
        self._driver = driver
        self._checkpoint = checkpoint

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    async def apply(self, ref: ObjectRef, body: Json, **how: Any) -> JsonObject:
        if how.get("dry_run"):
            return await self._driver.apply(ref, body, **how)  # type: ignore[no-any-return]
        self._checkpoint("write: before")
        written: JsonObject = await self._driver.apply(ref, body, **how)
        self._checkpoint("write: done")
        return written


async def remediate(setup: Json, namespace: str, place: str) -> JsonObject:
    """One remediation; what came of it, if the process lives to say so."""
    checkpoint = Fatal(place)
    async with world(Path(setup["folder"]), Path(setup["kubeconfig"]), namespace) as shop:
        shop.writer = FatalWriter(shop.driver, checkpoint)
        tools = await shop.tools(checkpoint=checkpoint)

        async def try_fix(incident: Incident) -> tuple[Verdict, SecurityComparison | None]:
            return await _trial(tools.actuator, incident, checkpoint, shop)

        async def sweep(shadow_id: str) -> bool:
            return await _sweep(tools.actuator, shop, shadow_id)

        tools = await shop.tools(checkpoint=checkpoint, try_fix=try_fix, sweep=sweep)
        incident = await run(tools, await open_incident(tools, shop.target))
        return {"id": incident.id, "phase": incident.phase.value, "places": checkpoint.passed}


async def _trial(
    actuator: Any, incident: Incident, checkpoint: Fatal, shop: World
) -> tuple[Verdict, SecurityComparison | None]:
    """A shadow is made, the very change is tried in it, and it is taken down."""
    name = f"{PREFIX}{incident.shadow_id}-c"
    purpose = Purpose(kind="shadow", incident=incident.id, scope=(name,))
    metadata = {"name": name, "labels": {"aegis.io/incident": incident.id}}
    await actuator.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, purpose)
    checkpoint("trial: made")
    assert incident.fix is not None
    assert incident.fix.change_set is not None
    for change in incident.fix.change_set.changes:
        await _copied(actuator, change, name, purpose)
    checkpoint("trial: tried")
    await _sweep(actuator, shop, incident.shadow_id)
    return shop.verdict, None


async def _copied(actuator: Any, change: Change, namespace: str, purpose: Purpose) -> None:
    metadata = {"name": change.target.name, "namespace": namespace}
    await actuator.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {}}, purpose)


async def _sweep(actuator: Any, shop: World, shadow_id: str) -> bool:
    name = f"{PREFIX}{shadow_id}-c"
    ref = ObjectRef(api_version="v1", kind="Namespace", name=name)
    found = await shop.driver.find(ref) is not None
    await actuator.delete(ref, Purpose(kind="shadow", incident="", scope=(name,)))
    return found


def started(setup: Json, namespace: str, place: str) -> tuple[int, int]:
    """Fork and run; the child and the pipe on which it reports."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        status = 1
        try:
            result = asyncio.run(remediate(setup, namespace, place))
            os.write(write, json.dumps(result).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    return child, read


def ended(child: int, read: int) -> JsonObject:
    """How a child ended: its signal, or what it reported."""
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    _, how = os.waitpid(child, 0)
    return {"signal": os.WTERMSIG(how) if os.WIFSIGNALED(how) else 0, "result": json.loads(said) if said else None}


def all_of(setup: Json, runs: list[tuple[str, str]]) -> list[JsonObject]:
    """Several at a time: each has a namespace and a state folder of its own."""
    children = [started(setup, namespace, place) for namespace, place in runs]
    return [ended(*child) for child in children]


def main() -> None:
    setup = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    runs = setup["runs"]
    first = all_of(setup, [(item["namespace"], item["place"]) for item in runs])
    second = all_of(setup, [(item["namespace"], "") for item in runs])
    for item, one, other in zip(runs, first, second, strict=True):
        sys.stdout.write(json.dumps({**item, "first": one, "second": other}) + "\n")


if __name__ == "__main__":
    main()
