"""The demo on a cluster of somebody's own: in namespaces that it makes, after a question, leaving nothing.

What it makes is written down first, by name and then by uid. It is deleted when a scenario ends, however it ends; what a
killed demo left is deleted by the next one on the same cluster.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegis.errors import Conflict, PermissionDenied, Refused, Unavailable
from aegis.interfaces.cli.approver import read_line
from aegis.interfaces.cli.demo_scenario import Scenario, manifests, moved
from aegis.interfaces.cli.demo_traces import Run, begun, left_over
from aegis.kube.pod_template import containers, pod_spec_of
from aegis.model.refs import JsonObject, ObjectRef
from aegis.ports import Access, ClusterReader, ClusterWriter, Progress

if TYPE_CHECKING:
    from aegis.interfaces.cli.options import Globals
    from aegis.settings import LoadedSettings
    from aegis.wiring import System

PREFIX = "aegis-"
"""Before the scenario's own namespace; after it comes the id of the run."""
RUN = "aegis.io/demo"
"""The label of the namespaces that a demo makes; its value is the id of the run."""

NEEDED = {
    "namespaces": ("get", "list", "create", "patch", "delete"),
    "pods": ("get", "list", "watch", "create", "delete"),
    "pods/log": ("get",),
    "events": ("list", "watch"),
    "configmaps": ("get", "list", "create", "patch"),
    "secrets": ("create",),
    "services": ("get", "list", "create", "patch"),
    "serviceaccounts": ("get", "create", "patch"),
    "resourcequotas": ("create",),
    "limitranges": ("list", "create"),
    "deployments.apps": ("get", "list", "watch", "create", "patch"),
    "replicasets.apps": ("list",),
    "statefulsets.apps": ("list",),
    "daemonsets.apps": ("list",),
    "controllerrevisions.apps": ("list",),
    "cronjobs.batch": ("list",),
    "horizontalpodautoscalers.autoscaling": ("list",),
    "endpointslices.discovery.k8s.io": ("list", "watch"),
    "networkpolicies.networking.k8s.io": ("list", "create"),
    "leases.coordination.k8s.io": ("get", "list", "create", "patch", "delete"),
}
"""What a demo does on a cluster: each verb is asked for beforehand, and a role of these is enough."""
_FALCO = "app.kubernetes.io/name=falco"
_NEEDS_FALCO = frozenset({"shell-in-fix"})
_MANY = 1000
_GONE_SECONDS = 300.0
_PAUSE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where a demo may play on somebody's cluster.

    Attributes:
        system: AEGIS, connected to it, with a state of its own.
        outside: the hands that make and delete the namespaces.
        run: what is written down.
        folder: for the scenarios as they are written for their namespaces.
    """

    system: System
    outside: ClusterWriter
    run: Run
    folder: Path

    @asynccontextmanager
    async def place(self, scenario: Scenario) -> AsyncIterator[Scenario]:
        """The scenario in a namespace of its own, which is gone when the block is left, however it is left."""
        name = namespace_of(scenario, self.run)
        try:
            await self._make(name)
            yield moved(scenario, name, self.folder)
        finally:
            from aegis.drivers.shielding import shielded

            await shielded(remove(self.system.reader, self.outside, self.run, name))

    async def _make(self, name: str) -> None:
        """Make it.

        Raises:
            Refused: if one of that name is there: it is not ours.
        """
        if await self.system.reader.find(_ref(name)) is not None:
            raise Refused(f"the namespace {name} is there already", hint="Run the demo again: it takes other names.")
        self.run.note(name)
        made = await self.outside.create({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "aegis", RUN: self.run.id}},
        })
        self.run.note(name, str(made["metadata"]["uid"]))


def namespace_of(scenario: Scenario, run: Run) -> str:
    """What a scenario's namespace is called: no two runs have the same."""
    return f"{PREFIX}{scenario.namespace}-{run.id}"


@asynccontextmanager
async def ground(
    options: Globals, scenarios: Sequence[Scenario], folder: Path, progress: Progress
) -> AsyncIterator[tuple[Ground, list[Scenario]]]:
    """The cluster, looked at, asked about and swept; and the scenarios that can be played there.

    Raises:
        Refused: if the automation is stopped, or the answer is No.
        PermissionDenied: if something that will be needed is not permitted.
        Unavailable: if something is left when it is over.
    """
    from aegis.drivers.kubernetes import connect
    from aegis.interfaces.cli.session import settings_of
    from aegis.wiring import connected, places_of

    loaded = settings_of(options)
    home = places_of(loaded).folder / "demo"
    _require_running(loaded)
    async with connect(loaded.kube_options(as_user=options.as_user)) as driver:
        cluster = await driver.cluster()
        able = await _playable(driver, scenarios, progress)
        await _require_permissions(driver)
        async with begun(home, cluster.uid) as run, left_over(home, cluster.uid) as dead:
            await _ask(options, driver, able, (run, dead))
            for old in dead:
                await _sweep(options, old, driver, progress)
            async with connected(_settings(options, run.state), as_user=options.as_user) as system:
                yield Ground(system=system, outside=driver, run=run, folder=folder), able


async def remove(reader: ClusterReader, outside: ClusterWriter, run: Run, name: str) -> None:
    """Delete a namespace of a run, by its uid, and wait until it is gone; one of that name that is not ours stays.

    Raises:
        Unavailable: if it does not go.
    """
    if name not in run.made:
        return
    uid = run.made[name] or await _uid_of_ours(reader, run, name)
    if uid:
        try:
            await outside.delete(_ref(name), uid=uid)
        except Conflict:
            uid = ""  # another one of that name
    waited = 0.0
    while uid and waited < _GONE_SECONDS:
        live = await reader.find(_ref(name))
        if live is None or live["metadata"].get("uid") != uid:
            break
        await asyncio.sleep(_PAUSE)
        waited += _PAUSE
    else:
        if uid:
            raise Unavailable(f"the namespace {name} does not go", hint="Look for finalizers in it.")
    run.forget(name)


async def _uid_of_ours(reader: ClusterReader, run: Run, name: str) -> str:
    """The uid of a namespace that was about to be made when the process died; empty where it was not, or is not ours."""
    live = await reader.find(_ref(name))
    metadata = (live or {}).get("metadata") or {}
    ours = (metadata.get("labels") or {}).get(RUN) == run.id
    return str(metadata.get("uid") or "") if ours else ""


async def _sweep(options: Globals, run: Run, driver: Any, progress: Progress) -> None:
    """Delete what a killed demo left: its shadows and its namespaces."""
    from aegis.wiring import connected

    progress("deleting what an earlier demo left", namespaces=len(run.made))
    async with connected(_settings(options, run.state), as_user=options.as_user) as system:
        for incident in await system.incidents.list():
            await system.sweep(incident.shadow_id)
    for name in list(run.made):
        await remove(driver, driver, run, name)
    run.end()


def _settings(options: Globals, state: Path) -> LoadedSettings:
    """The user's own, but for the state and the rate: each scenario writes once, into its own namespace."""
    from aegis.settings import load

    flags: dict[str, Any] = {
        "kubernetes.context": options.context or None,
        "kubernetes.kubeconfig": options.kubeconfig,
        "state.folder": state,
        "safety.writes_per_hour": _MANY,
    }
    return load(options.config, flags)


def _require_running(loaded: LoadedSettings) -> None:
    """The user's kill switch holds for a demo too.

    Raises:
        Refused: if it is not at `run`.
    """
    from aegis.ports import Mode
    from aegis.wiring import automation_mode, places_of

    setting = automation_mode(places_of(loaded)).setting()
    if setting.mode is not Mode.RUN:
        raise Refused(
            f"the automation is set to {setting.mode.value}: {setting.reason}",
            hint="Set it to run: aegis mode set run --reason …; or try the demo without --context.",
        )


async def _playable(reader: ClusterReader, scenarios: Sequence[Scenario], progress: Progress) -> list[Scenario]:
    """Those that can be played there; the others are told.

    Raises:
        Unavailable: if none can.
    """
    able = list(scenarios)
    if any(one.name in _NEEDS_FALCO for one in scenarios) and not await reader.list("v1", "Pod", labels=_FALCO):
        able = [one for one in scenarios if one.name not in _NEEDS_FALCO]
        progress(f"{', '.join(sorted(_NEEDS_FALCO))} is left out: no Falco runs on this cluster ({_FALCO})")
    if not able:
        raise Unavailable("this scenario needs Falco on the cluster", hint="Install Falco, or leave --context out.")
    return able


async def _require_permissions(reader: ClusterReader) -> None:
    """Ask for everything before anything is made.

    Raises:
        PermissionDenied: naming each verb that is not permitted.
    """
    wanted = [Access(verb=verb, resource=resource) for resource, verbs in NEEDED.items() for verb in verbs]
    async with asyncio.TaskGroup() as group:
        answers = [group.create_task(reader.allowed(access)) for access in wanted]
    refused = [access for access, answer in zip(wanted, answers, strict=True) if not answer.result()]
    if refused:
        names = ", ".join(f"{access.verb} {access.resource}" for access in refused)
        raise PermissionDenied(
            f"the demo needs what is not permitted cluster-wide: {names}",
            hint="Ask for a role that allows them, or leave --context out.",
        )


async def _ask(
    options: Globals, reader: ClusterReader, scenarios: Sequence[Scenario], runs: tuple[Run, Sequence[Run]]
) -> None:
    """Show where it is and what will be made there; the default is No.

    Raises:
        Refused: if the answer is No.
    """
    run, dead = runs
    cluster, user = await reader.cluster(), await reader.whoami()
    names = [namespace_of(scenario, run) for scenario in scenarios]
    left = [name for old in dead for name in old.made]
    lines = [
        "This demo runs on the cluster that you named:",
        f"  context     {cluster.context} at {cluster.server} ({cluster.version}), as {user.name}",
        f"  makes       {', '.join(names)}",
        "              and for each trial namespaces aegis-shadow-…, cut off; all of them are deleted when it is over",
        f"  images      {', '.join(images(scenarios))}",
        f"  takes       minutes a scenario: time scale {cluster.time_scale:g}",
        "  touches     no namespace that is there already",
        *([f"  deletes     first what an earlier demo left: {', '.join(left)}"] if left else []),
    ]
    if not (options.quiet and options.yes):
        sys.stderr.write("\n".join(lines) + "\n")
    if options.yes:
        return
    sys.stderr.write(f"Go on with {cluster.context or cluster.server}? [y/N] ")
    sys.stderr.flush()
    if (await read_line()).strip().lower() not in {"y", "yes"}:
        raise Refused("answered No; nothing was made")


def images(scenarios: Sequence[Scenario]) -> list[str]:
    """The images that the cluster will be asked to pull; one that does not exist is a fault of a scenario."""
    objects: list[JsonObject] = [obj for one in scenarios for step in one.steps[:1] for _, obj in manifests(step)]
    return sorted({str(at.spec["image"]) for obj in objects for at in containers(pod_spec_of(obj) or {})})


def _ref(name: str) -> ObjectRef:
    return ObjectRef(api_version="v1", kind="Namespace", name=name)
