"""`kill -9` at each step of a remediation on a whole local cluster: afterwards the same command ends what was begun.

A first run, which lives, tells all the places at which one could die (see `dying_aegis`). Then, for each place, a new
incident is remediated by a process that dies there, and the same command line is given again. By default one place of
each kind is taken, with `--all-kills` every place there is.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from kill_world import Ended, Theatre, World, in_session, theatre

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(5400)]

AT_ONCE = 4
TRIES = 3
FINAL = {"Resolved", "Failed", "Rejected", "Timeout"}


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Theatre]:
    async with theatre(tmp_path) as found:
        yield found


@dataclass(slots=True)
class Death:
    """One place to die at, and what came of it.

    Attributes:
        place: where.
        worse: whether the fix makes production worse, so that it is taken back.
        earlier: where a run before that one had died already; empty: there was none.
    """

    place: str
    worse: bool = False
    earlier: str = ""
    first: Ended | None = None
    second: Ended | None = None
    phase: str = ""
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def hold(self, fact: bool, problem: object) -> None:
        if not fact:
            self.problems.append(str(problem))

    def row(self) -> str:
        second = "over already" if self.second is None else f"then {self.second.status}"
        first = self.first.status if self.first else "?"
        said = "; ".join(self.problems) or "holds"
        return f"{self.place:75} {first:>4} {second:12} {self.phase:10} {self.seconds:5.1f}s  {said}"


def told(ended: Ended) -> str:
    """How a run that should have ended otherwise did end."""
    report = ended.report
    said = f"{report.get('phase')} {report.get('reason')} {report.get('message')}" if report else ended.err[-500:]
    return f"{ended.status} {said}"


_ALIKE = (
    (r"step (?!apply)\S+: (before|done|stored)", r"a step \1"),
    (r"save \S+: (before|done)", r"a save \1"),
    (r"said (?!as it is|watching).*", "said something between steps"),
    (r"write \w+ leases\S* in production: (.*)", r"a write of a Lease \1"),
    (r"write create (?!namespaces)\S+ in shadow: .*", "a copy into a shadow"),
    (r"write patch \S+ in shadow: .*", "a change in a shadow"),
    (r"write delete pods in shadow: .*", "the end of a probe"),
    (r"audit \w+ production dry-run: .*", "a record of a dry-run"),
    (r"audit \w+ lease: .*", "a record of a Lease"),
    (r"audit \w+ (?:remediation|shadow): (?:before|sync \d)", "around a record"),
    (r"audit \w+ (?:remediation|shadow): half a line", "within a record"),
    (r"audit intended (production|undo): (?:before|sync \d)", r"around the intention \1"),
    (r"audit done (production|undo): (?:before|sync \d|done)", r"around the record of \1"),
)
"""What need not be told apart for one death of each kind: between such places nothing else happens outside."""


def kind_of(place: str) -> str:
    label = place.rpartition("#")[0]
    for pattern, kind in _ALIKE:
        if found := re.fullmatch(pattern, label):
            return found.expand(kind)
    return label


def chosen(places: Sequence[str], *, everything: bool) -> list[str]:
    """All of them; or of each kind the one in the middle."""
    if everything:
        return list(places)
    kinds: dict[str, list[str]] = {}
    for place in places:
        kinds.setdefault(kind_of(place), []).append(place)
    return [alike[len(alike) // 2] for alike in kinds.values()]


async def die(stage: Theatre, death: Death) -> Death:
    """Die there, and look what came of it; once more where a busy machine let a trial end without a verdict."""
    died = death
    for _ in range(TRIES):
        died = await die_once(stage, replace(death, problems=[]))
        sys.stdout.write(died.row() + "\n")
        if not any(ended and undecided(ended) for ended in (died.first, died.second)):
            break
    return died


def undecided(ended: Ended) -> bool:
    return ended.status == 3 and ended.report["verdict"]["decision"] == "INCONCLUSIVE"


async def die_once(stage: Theatre, death: Death) -> Death:
    began, worse = time.monotonic(), death.worse
    world = await stage.world(worse=worse)
    if death.earlier:
        assert (await world.run(*world.fix(), die_at=death.earlier)).status == -9
    death.first = await world.run(*world.fix(), die_at=death.place)
    death.hold(death.first.status == -9, f"it did not die there: {told(death.first)}")
    death.hold(not list(in_session(death.first.pid)), "it left processes")
    await assert_whole(world, death, "after the death")
    before = await world.incidents()
    if not before or before[0]["phase"] not in FINAL:
        death.second = await world.run(*world.fix())
        taken_up = not before or f"taking up again  (incident {before[0]['id']}" in death.second.err
        death.hold(taken_up, f"not taken up again: {death.second.err[-500:]}")
        death.hold(death.second.status == int(worse), f"ended with {told(death.second)}")
        death.hold(not list(in_session(death.second.pid)), "the second left processes")
        await assert_whole(world, death, "at the end")
    await assert_one_effect(world, death)
    death.hold(world.shadows() == [], f"orphaned: {world.shadows()}")
    death.hold(world.strays() == [], f"stray files: {world.strays()}")
    death.seconds = time.monotonic() - began
    await world.leave()
    return death


async def assert_whole(world: World, death: Death, when: str) -> None:
    verified = await world.run("audit", "verify")
    death.hold(verified.status == 0, f"the chain is broken {when}: {verified.out}{verified.err}")


async def assert_one_effect(world: World, death: Death) -> None:
    worse = death.worse
    incidents = await world.incidents()
    death.hold(len(incidents) == 1, f"{len(incidents)} incidents: {[one['phase'] for one in incidents]}")
    death.phase = incidents[0]["phase"] if incidents else "none"
    ended = (incidents[0]["phase"], incidents[0]["reason"]) if incidents else None
    death.hold(ended == (("Failed", "RolledBack") if worse else ("Resolved", "")), f"ended as {ended}")
    live, writes = world.live(), world.writes()
    death.hold(len(writes) == 1 + worse, f"{len(writes)} writes to production")
    generation = live["metadata"]["generation"] - world.broken["metadata"]["generation"]
    death.hold(generation == 1 + worse, f"the generation moved by {generation}")
    death.hold((live["spec"] == world.broken["spec"]) == worse, "the spec is not what it should be")
    death.hold(world.unannounced() == [], f"not announced: {world.unannounced()}")


async def all_die(stage: Theatre, wanted: Sequence[Death]) -> list[Death]:
    gate, deaths = asyncio.Semaphore(AT_ONCE), []

    async def one(death: Death) -> None:
        async with gate:
            deaths.append(await die(stage, death))

    async with asyncio.TaskGroup() as group:
        for death in wanted:
            group.create_task(one(death))
    return deaths


def failures(deaths: Sequence[Death]) -> str:
    return "\n".join(death.row() for death in deaths if death.problems)


async def lives(stage: Theatre, *, worse: bool = False, earlier: str = "") -> list[str]:
    """The places that a remediation passes which nobody kills (the next one after an earlier death)."""
    world = await stage.world(worse=worse)
    if earlier:
        assert (await world.run(*world.fix(), die_at=earlier)).status == -9
    ended = await world.run(*world.fix())
    assert ended.status == int(worse), ended.err
    await world.leave()
    return list(ended.places)


def nothing_left(stage: Theatre) -> list[str]:
    found: list[Any] = [obj["metadata"]["name"] for obj in stage.cluster.api.list("namespaces")]
    return [name for name in found if name.startswith("aegis-shadow-")]


async def test_killed_anywhere_the_same_command_ends_it_with_one_effect(stage: Theatre, all_kills: bool) -> None:
    places = chosen(await lives(stage), everything=all_kills)
    deaths = await all_die(stage, [Death(place) for place in places])
    assert failures(deaths) == ""
    assert nothing_left(stage) == []


async def test_killed_while_it_takes_a_worse_fix_back_it_is_taken_back_once(stage: Theatre, all_kills: bool) -> None:
    places = await lives(stage, worse=True)
    later = chosen(places[places.index("step watch: done#1") :], everything=all_kills)
    if not all_kills:
        later = [place for place in later if re.search(r"undo|roll-back|production|back#", place)]
    deaths = await all_die(stage, [Death(place, worse=True) for place in later])
    assert failures(deaths) == ""
    assert nothing_left(stage) == []


async def test_killed_again_while_it_recovers_the_third_run_ends_it(stage: Theatre, all_kills: bool) -> None:
    torn, tried = "audit intended production: half a line#1", "said starting both arms side by side#1"
    mending = await lives(stage, earlier=torn)
    first_record = next(index for index, place in enumerate(mending) if re.fullmatch(r"audit .*: done#1", place))
    sweeping = await lives(stage, earlier=tried)
    mended = [place for place in mending[: first_record + 1] if all_kills or re.search("line|sync [1256]", place)]
    swept = chosen(sweeping[: sweeping.index("step sweep: stored#1") + 1], everything=all_kills)
    if not all_kills:
        swept = [place for place in swept if re.match(r"step sweep|write.*sent", place)]
    wanted = [Death(place, earlier=torn) for place in mended] + [Death(place, earlier=tried) for place in swept]
    deaths = await all_die(stage, wanted)
    assert failures(deaths) == ""
    assert nothing_left(stage) == []
