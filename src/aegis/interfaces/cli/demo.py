"""`aegis demo`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aegis.errors import AegisError, Defect, Refused, UsageError
from aegis.interfaces.cli.demo_scenario import Scenario, chosen
from aegis.interfaces.cli.options import Globals
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import columns, document, emit
from aegis.interfaces.cli.session import progress_of, run_async
from aegis.model.refs import JsonObject

if TYPE_CHECKING:
    from aegis.interfaces.cli.progress import StderrProgress
    from aegis.settings import LoadedSettings

TIME_SCALE = 20.0
"""The demo's cluster passes so many times faster than a real one; the judge's mathematics is the same."""

_AT_ONCE = 2
_MANY = 1000


@make(
    "demo",
    examples="""\
aegis demo                              asks before each fix is applied
aegis demo --yes                        shows what it would ask, and answers yes
aegis demo --scenario all --yes -o json
aegis demo --scenario drift --yes       production changes between approval and apply
""",
)
@click.option("--scenario", metavar="NAME|all", help="One scenario, or all; without it the first ones.")
@click.pass_obj
def command(options: Globals, scenario: str | None) -> int:
    """Watch incidents being found, tried red-then-green, approved, applied and watched, from end to end.

    On a throw-away local cluster whose delays pass faster than real ones (it says so). Ends with 0 only if
    every scenario ended as it must.
    """
    scenarios = chosen(scenario)
    _refuse_what_cannot_be(options)
    with tempfile.TemporaryDirectory(prefix="aegis-demo-") as folder:
        items = run_async(_demo(options, scenarios, Path(folder)), options)
    result = document("DemoReport", time_scale=TIME_SCALE, passed=all(one["passed"] for one in items), items=items)
    emit(options, result, lambda: _table(items))
    return 0 if result["passed"] else 1


def _refuse_what_cannot_be(options: Globals) -> None:
    if options.context or options.kubeconfig:
        raise UsageError("the demo runs on a cluster of its own for now", hint="Leave --context and --kubeconfig out.")
    if not options.yes and not sys.stdin.isatty():
        raise Refused("the demo asks before it applies, and there is no terminal", hint="Add --yes.")


async def _demo(options: Globals, scenarios: list[Scenario], folder: Path) -> list[JsonObject]:
    from aegis.localcluster import daemon
    from aegis.localcluster.options import ClusterOptions

    progress = progress_of(options)
    progress("starting a local cluster that is thrown away afterwards", time_scale=TIME_SCALE)
    wanted = ClusterOptions(state=folder / "cluster", time_scale=TIME_SCALE)
    with daemon.owned(wanted, progress=progress) as info:
        for gap in info.not_enforced:
            progress(f"not enforced here: {gap}")
        loaded = _settings(options, info.kubeconfig, folder / "state")
        return await _play_all(options, loaded, scenarios, progress)


async def _play_all(
    options: Globals, loaded: LoadedSettings, scenarios: list[Scenario], progress: StderrProgress
) -> list[JsonObject]:
    """Two at a time where nobody is asked: a person answers one question after the other.

    Raises:
        Defect: if a shadow is left behind.
    """
    from aegis.drivers.kubernetes import connect
    from aegis.interfaces.cli.demo_run import Stage, play, shadows_left
    from aegis.wiring import connected

    slots = asyncio.Semaphore(_AT_ONCE if options.yes else 1)
    async with connected(loaded) as system, connect(loaded.kube_options()) as outside:
        stage = Stage(system=system, outside=outside, yes=options.yes, no_color=options.no_color, quiet=options.quiet)

        async def one(scenario: Scenario) -> JsonObject:
            async with slots:
                try:
                    return await play(stage, scenario, progress.labelled(scenario.name))
                except AegisError as error:
                    progress(f"{scenario.name}: {error.message}")
                    return _broken(scenario, error)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(scenario)) for scenario in scenarios]
        if left := await shadows_left(system.reader):
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
