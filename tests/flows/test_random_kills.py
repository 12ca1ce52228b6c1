"""`kill -9` at random moments of real scenarios: one effect, nothing orphaned, the chain whole.

The moments are drawn from a seed, over the time that the scenario takes when nobody kills it; some die once more while
they recover. A few in the suite; `make soak-kills` takes a hundred (`--random-kills 100 --kill-seed N`).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
import tomllib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from kill_world import Act, Ended, Theatre, World, in_session, theatre
from recording_proxy import Request

from aegis.drivers.kubernetes import KubeOptions, connect
from aegis.model.refs import ObjectRef

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(5400)]

EXAMPLES = Path(__file__).parents[2] / "examples" / "incidents"
SCENARIOS = ("missing-env", "image-tag", "service-selector", "useless-fix", "worse")
AT_ONCE = 3
USUAL_SECONDS = 9.0
"""How long a scenario takes about, where so few die that it is not worth measuring."""
LONGEST = 600.0
"""Seconds that a remediation may take on a machine that is busy with other things."""
WRITES = {"Resolved": 1, "RolledBack": 2, "GateRejected": 0}
FINAL = {"Resolved", "Failed", "Rejected", "Timeout"}


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Theatre]:
    async with theatre(tmp_path) as found:
        yield found


@dataclass(slots=True, kw_only=True)
class Scene(World):
    """A scenario of the examples, in a namespace of its own."""

    scenario: dict[str, Any] = field(default_factory=dict)

    def fix(self, *more: str) -> list[str]:
        given = ["--changes", str(self.changes)] if self.changes else []
        words = ["fix", self.scenario["target"], "-n", self.namespace, "-o", "json", *self.at]
        return [*words, *given, *(more or ("--yes",))]

    def writes(self) -> list[Request]:
        within = f"/namespaces/{self.namespace}/"
        mine = [one for one in self.theatre.recording.writes() if within in one.path]
        return [one for one in mine if "/leases" not in one.path]

    @property
    def ends(self) -> str:
        """How it must end, in a word."""
        return str(self.scenario.get("reason") or self.scenario["phase"])


async def scene(stage: Theatre, name: str, number: int) -> Scene:
    """Play a scenario up to where somebody would call for help."""
    scenario = tomllib.loads((EXAMPLES / name / "scenario.toml").read_text(encoding="utf-8"))
    namespace = f"{scenario['namespace']}-{number}"
    made = Scene(theatre=stage, namespace=namespace, folder=stage.folder / namespace, scenario=scenario)
    made.folder.mkdir()
    if "changes" in scenario:
        made.changes = made.folder / "changes.yaml"
        made.changes.write_text(renamed(EXAMPLES / name / scenario["changes"], scenario, namespace), encoding="utf-8")
    async with connect(KubeOptions(kubeconfig=stage.cluster.kubeconfig)) as driver:
        for step in scenario["steps"]:
            for obj in yaml.safe_load_all(renamed(EXAMPLES / name / step, scenario, namespace)):
                await driver.apply(ObjectRef.of(obj), obj, manager="kubectl", force=True)
            await (analyzed_ill if step == scenario["steps"][-1] else analyzed_well)(made)
    return made


def renamed(path: Path, scenario: dict[str, Any], namespace: str) -> str:
    return path.read_text(encoding="utf-8").replace(scenario["namespace"], namespace)


async def analyzed_well(made: Scene) -> None:
    """Until it was found well twice in a row."""
    await until_seen(made, lambda seen: seen[-2:] == [0, 0])


async def analyzed_ill(made: Scene) -> None:
    """Until it was found failing, whether the cause is clear already or not."""
    await until_seen(made, lambda seen: seen[-1:] in ([1], [3]))


async def until_seen(made: Scene, enough: Callable[[list[int]], bool]) -> None:
    seen: list[int] = []
    async with asyncio.timeout(240):
        while not enough(seen):
            found = await made.run("analyze", made.scenario["target"], "-n", made.namespace, "-o", "json", *made.at)
            seen.append(found.status)
            await asyncio.sleep(0.2)


@dataclass(slots=True, kw_only=True)
class Moment:
    """One random death: of which scenario, when (a share of the time it takes), and whether it dies once more."""

    number: int
    name: str
    share: float
    again: float | None
    first: Ended | None = None
    second: Ended | None = None
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def hold(self, fact: bool, problem: str) -> None:
        if not fact:
            self.problems.append(problem)

    decision: str = ""

    @property
    def undecided(self) -> bool:
        """Whether a busy machine let the trial end with another verdict than its scenario must have."""
        ended = [one for one in (self.first, self.second) if one is not None and one.status >= 0 and one.out]
        verdicts = [one.report.get("verdict") or {} for one in ended]
        return any(verdict and verdict["decision"] != self.decision for verdict in verdicts)

    def row(self) -> str:
        statuses = "/".join(str(one.status) if one else "-" for one in (self.first, self.second))
        again = f" and {self.again:.2f}" if self.again is not None else ""
        said = "; ".join(self.problems) or ("holds, judged otherwise" if self.undecided else "holds")
        return f"{self.number:4} {self.name:18} at {self.share:.2f}{again:9} {statuses:8} {self.seconds:5.1f}s  {said}"


async def killed(act: Act, seconds: float) -> Ended:
    """It dies after some time, if it is not over by then."""
    try:
        return await act.ended(seconds)
    except TimeoutError:
        os.kill(act.pid, signal.SIGKILL)
        return await act.ended()


async def play(stage: Theatre, moment: Moment, lasts: float) -> Moment:
    began = time.monotonic()
    made = await scene(stage, moment.name, moment.number)
    moment.decision = made.scenario["decision"]
    moment.first = await killed(await made.start(*made.fix()), moment.share * lasts)
    moment.hold(not list(in_session(moment.first.pid)), "it left processes")
    await whole(made, moment, "after the death")
    if moment.again is not None and await open_incident(made):
        died = await killed(await made.start(*made.fix()), moment.again * lasts)
        moment.hold(not list(in_session(died.pid)), "the second left processes")
        await whole(made, moment, "after the second death")
    if await open_incident(made):
        moment.second = await (await made.start(*made.fix())).ended(LONGEST)
        moment.hold("Traceback" not in moment.second.err, moment.second.err[-800:])
    await one_effect(made, moment)
    moment.seconds = time.monotonic() - began
    await made.leave()
    return moment


async def open_incident(made: Scene) -> bool:
    """Whether there is still something to do: none was opened, or it is not over."""
    incidents = await made.incidents()
    return not incidents or incidents[0]["phase"] not in FINAL


async def whole(made: Scene, moment: Moment, when: str) -> None:
    verified = await made.run("audit", "verify")
    moment.hold(verified.status == 0, f"the chain is broken {when}: {verified.out}{verified.err}")


async def one_effect(made: Scene, moment: Moment) -> None:
    await whole(made, moment, "at the end")
    incidents = await made.incidents()
    phases = [(one["phase"], one["reason"]) for one in incidents]
    moment.hold(len(incidents) == 1, f"{len(incidents)} incidents: {phases}")
    writes, unannounced = len(made.writes()), made.unannounced()
    if moment.undecided:
        moment.hold(writes == 0, f"judged otherwise, yet {writes} writes to production")
    else:
        ended = moment.second or moment.first
        how = f"ended as {phases} with {ended.status if ended else None}: {ended.err[-300:] if ended else ''}"
        moment.hold(made.ends in {*phases[0]} if phases else False, how)
        moment.hold(writes == WRITES[made.ends], f"{writes} writes to production")
    moment.hold(unannounced == [], f"not announced: {unannounced}")
    moment.hold(made.shadows() == [], f"orphaned: {made.shadows()}")
    leases = [one["metadata"]["name"] for one in stage_leases(made)]
    moment.hold(leases == [], f"orphaned: {leases}")
    moment.hold(made.strays() == [], f"stray files: {made.strays()}")


def stage_leases(made: Scene) -> list[dict[str, Any]]:
    return list(made.theatre.cluster.api.list("leases.coordination.k8s.io", made.namespace))


async def lasting(stage: Theatre, name: str) -> float:
    """Seconds that a scenario takes which nobody kills."""
    made = await scene(stage, name, 0)
    began = time.monotonic()
    ended = await (await made.start(*made.fix())).ended(LONGEST)
    assert ended.status in {made.scenario["exit"], 1, 3}, ended.err
    await made.leave()
    return time.monotonic() - began


async def test_killed_at_any_moment_there_is_one_effect(stage: Theatre, random_kills: tuple[int, int]) -> None:
    count, seed = random_kills
    chance = random.Random(seed)  # noqa: S311 - moments to die at, not secrets
    names = SCENARIOS if count >= len(SCENARIOS) else SCENARIOS[: max(1, count - 1)]
    moments = [
        Moment(
            number=number,
            name=names[number % len(names)],
            share=chance.uniform(0.0, 1.05),
            again=chance.uniform(0.0, 1.0) if chance.random() < 0.25 else None,
        )
        for number in range(1, count + 1)
    ]
    lasts = {name: await lasting(stage, name) if count > len(SCENARIOS) else USUAL_SECONDS for name in names}
    gate, over = asyncio.Semaphore(AT_ONCE), []

    async def one(moment: Moment) -> None:
        async with gate:
            over.append(await play(stage, moment, lasts[moment.name]))
            sys.stdout.write(over[-1].row() + "\n")
            sys.stdout.flush()

    async with asyncio.TaskGroup() as group:
        for moment in moments:
            group.create_task(one(moment))
    bad = [moment.row() for moment in over if moment.problems]
    undecided = sum(moment.undecided for moment in over)
    sys.stdout.write(
        f"{len(over)} kills, seed {seed}: {len(bad)} with problems, {undecided} judged otherwise than their scenario says\n"
    )
    assert bad == [], "\n".join(bad)
    assert undecided < len(over), "no trial came to a verdict"
