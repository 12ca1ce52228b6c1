"""`aegis demo`."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aegis.errors import AegisError, Defect, Refused
from aegis.interfaces.cli.demo_scenario import Scenario, chosen
from aegis.interfaces.cli.options import Globals, completing
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import columns, document, emit
from aegis.interfaces.cli.session import progress_of, run_async
from aegis.model.refs import JsonObject

if TYPE_CHECKING:
    from aegis.interfaces.cli.demo_run import Stage
    from aegis.interfaces.cli.progress import StderrProgress
    from aegis.ports import ClusterWriter
    from aegis.settings import LoadedSettings
    from aegis.wiring import System

TIME_SCALE, BUSY_TIME_SCALE = 20.0, 10.0
"""The demo's cluster passes so many times faster than a real one; the judge's mathematics is the same.

Programs start no faster: where others keep the machine busy, they need more of the cluster's time.
"""
_BUSY = 4.0
"""Programs that want to run for each processor, over the last minute."""

_AT_ONCE = 2
_MANY = 1000


@make(
    "demo",
    examples="""\
aegis demo                              asks before each fix is applied
aegis demo --yes                        shows what it would ask, and answers yes
aegis demo --scenario all --yes -o json
aegis demo --scenario drift --yes       production changes between approval and apply
aegis demo --context staging            on a cluster of yours, in namespaces of its own; asks first
""",
)
@click.option(
    "--scenario",
    metavar="NAME|all",
    shell_complete=completing("scenarios"),
    help="One scenario, or all; without it the first seven.",
)
@click.pass_obj
def command(options: Globals, scenario: str | None) -> int:
    """Watch incidents being found, tried red-then-green, approved, applied and watched, from end to end.

    On a throw-away local cluster whose delays pass faster than real ones (it says so); with --context on a cluster of
    yours, in namespaces that it makes and deletes again. Ends with 0 only if every scenario ended as it must.
    """
    scenarios = chosen(scenario)
    _require_answers(options)
    play = _on_own_cluster if options.context or options.kubeconfig else _on_throw_away_cluster
    with tempfile.TemporaryDirectory(prefix="aegis-demo-") as folder:
        time_scale, items = run_async(play(options, scenarios, Path(folder)), options)
    promised = [{key: value for key, value in one.items() if key != "message"} for one in items]
    result = document("DemoReport", time_scale=time_scale, passed=all(one["passed"] for one in items), items=promised)
    emit(options, result, lambda: _table(items))
    return 0 if result["passed"] else 1


def time_scale_for(load: float, processors: int) -> float:
    """How fast the demo's cluster passes on a machine with this load average."""
    return BUSY_TIME_SCALE if load > _BUSY * processors else TIME_SCALE


def _require_answers(options: Globals) -> None:
    """Somebody must be there to answer.

    Raises:
        Refused: if nobody is.
    """
    if not options.yes and not sys.stdin.isatty():
        raise Refused("the demo asks before it applies, and there is no terminal", hint="Add --yes.")


async def _on_throw_away_cluster(
    options: Globals, scenarios: list[Scenario], folder: Path
) -> tuple[float, list[JsonObject]]:
    from aegis.drivers.kubernetes import connect
    from aegis.localcluster import daemon
    from aegis.localcluster.options import ClusterOptions
    from aegis.wiring import connected

    progress, time_scale = progress_of(options), time_scale_for(os.getloadavg()[0], os.cpu_count() or 1)
    progress("starting a local cluster that is thrown away afterwards", time_scale=time_scale)
    wanted = ClusterOptions(state=folder / "cluster", time_scale=time_scale, falco=True)
    with daemon.owned(wanted, progress=progress) as info:
        for gap in info.not_enforced:
            progress(f"not enforced here: {gap}")
        loaded = _settings(options, info.kubeconfig, folder / "state")
        async with connected(loaded) as system, connect(loaded.kube_options()) as outside:
            stage = _stage(options, system, outside)
            return time_scale, await _play_all(stage, scenarios, progress, nullcontext)


async def _on_own_cluster(options: Globals, scenarios: list[Scenario], folder: Path) -> tuple[float, list[JsonObject]]:
    from aegis.interfaces.cli.demo_own import ground

    progress = progress_of(options)
    async with ground(options, scenarios, folder, progress) as (own, able):
        stage = _stage(options, own.system, own.outside)
        items = await _play_all(stage, able, progress, own.place)
    progress("nothing of the demo is left on the cluster")
    return own.system.cluster.time_scale, items


def _stage(options: Globals, system: System, outside: ClusterWriter) -> Stage:
    from aegis.interfaces.cli.demo_run import Stage

    return Stage(system=system, outside=outside, yes=options.yes, no_color=options.no_color, quiet=options.quiet)


async def _play_all(
    stage: Stage,
    scenarios: Sequence[Scenario],
    progress: StderrProgress,
    placed: Callable[[Scenario], AbstractAsyncContextManager[Scenario]],
) -> list[JsonObject]:
    """Two at a time where nobody is asked: a person answers one question after the other.

    Raises:
        Defect: if a shadow is left behind.
    """
    from aegis.interfaces.cli.demo_run import play, shadows_left

    slots = asyncio.Semaphore(_AT_ONCE if stage.yes else 1)

    async def one(scenario: Scenario) -> JsonObject:
        async with slots:
            try:
                async with placed(scenario) as here:
                    return await play(stage, here, progress.labelled(scenario.name))
            except AegisError as error:
                progress(f"{scenario.name}: {error.message}")
                return _broken(scenario, error)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(scenario)) for scenario in scenarios]
    if left := await shadows_left(stage.system):
        raise Defect(f"shadows are left behind: {', '.join(left)}")
    progress("no shadow is left")
    return [task.result() for task in tasks]


def _settings(options: Globals, kubeconfig: Path, state: Path) -> LoadedSettings:
    """The user's own, but for the cluster, the state, and what keeps production quiet."""
    from aegis.settings import load

    flags: dict[str, Any] = {
        "kubernetes.kubeconfig": kubeconfig,
        "kubernetes.context": "",
        "state.folder": state,
        "safety.writes_per_hour": _MANY,
        "safety.freeze_windows": (),
    }
    return load(options.config, flags)


def _broken(scenario: Scenario, error: AegisError) -> JsonObject:
    return {
        "scenario": scenario.name,
        "incident": None,
        "phase": None,
        "reason": error.code,
        "cause": None,
        "root_cause": None,
        "decision": None,
        "exit": error.exit_status,
        "gates": [],
        "message": error.message,
        "duration_seconds": 0.0,
        "passed": False,
    }


def _table(items: list[JsonObject]) -> str:
    rows = [
        (
            one["scenario"],
            f"{one['phase']} {one['reason']}".strip(),
            one["cause"],
            f"{one['root_cause']['kind']}/{one['root_cause']['name']}" if one["root_cause"] else "",
            one["decision"],
            one["exit"],
            f"{one['duration_seconds']:g} s",
            "as it must" if one["passed"] else "NOT AS IT MUST",
        )
        for one in items
    ]
    head = ("scenario", "ended", "cause", "root cause", "trial", "exit", "took", "")
    worked = sum(bool(one["passed"]) for one in items)
    lines = [columns(head, rows), "", f"{worked} of {len(items)} scenarios ended as they must."]
    return "\n".join([*lines, *(f"{one['scenario']}: {one['message']}" for one in items if not one["passed"])])
