"""`aegis incident list|show|watch|approve|reject`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from aegis.errors import Refused
from aegis.interfaces.cli.fix import show as show_remediation
from aegis.interfaces.cli.options import Globals, completing, group
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import emit, list_document, stream
from aegis.interfaces.cli.session import opened, progress_of, run_async, run_watch
from aegis.model.refs import Json, JsonObject

if TYPE_CHECKING:
    from aegis.model.incident import Incident

_POLL_SECONDS = 0.5


@group("incident", examples="aegis incident list\naegis incident show inc-1a2b3c\naegis incident approve inc-1a2b3c")
def command() -> None:
    """What is open, half done or over."""


@make("list", examples="aegis incident list\naegis incident list -n shop --open -o json", parent=command)
@click.option("--open", "open_only", is_flag=True, help="Only those that are not over.")
@click.pass_obj
def list_incidents(options: Globals, *, open_only: bool) -> None:
    """List the incidents of the cluster, the newest first; with -n only those of a namespace."""
    items = run_async(_list(options, open_only=open_only), options)
    from aegis.interfaces.cli.remediation_text import incidents_text

    emit(options, list_document("Incident", items), lambda: incidents_text(items))


@make("show", examples="aegis incident show inc-1a2b3c -o yaml", parent=command)
@click.argument("incident", shell_complete=completing("incidents"))
@click.pass_obj
def show(options: Globals, incident: str) -> None:
    """Show one incident (its id, or the beginning of it)."""
    run_async(_show(options, incident), options)


@make(
    "watch",
    outputs=("table", "json", "yaml", "jsonl"),
    examples="aegis incident watch\naegis incident watch -o jsonl",
    parent=command,
)
@click.pass_obj
def watch(options: Globals) -> None:
    """Print each incident as it changes, until interrupted or --timeout is over."""
    run_watch(_watch(options), options)


@make("approve", examples="aegis incident approve inc-1a2b3c\naegis incident approve inc-1a2b3c --yes", parent=command)
@click.argument("incident", shell_complete=completing("incidents"))
@click.pass_obj
def approve(options: Globals, incident: str) -> int:
    """Show what was tried and what would change, ask, and apply it.

    The yes is bound to exactly what is shown; ends as `aegis fix` does.
    """
    return run_async(_approve(options, incident), options)


@make("reject", examples='aegis incident reject inc-1a2b3c --reason "we scale out instead"', parent=command)
@click.argument("incident", shell_complete=completing("incidents"))
@click.option("--reason", default="", help="Why; it is kept.")
@click.pass_obj
def reject(options: Globals, incident: str, reason: str) -> None:
    """Say No: nothing is applied."""
    run_async(_reject(options, incident, reason), options)


async def _list(options: Globals, *, open_only: bool) -> list[JsonObject]:
    async with opened(options) as system:
        found = await system.incidents.list(open_only=open_only)
    return [summary(one) for one in found if options.namespace in {"", one.target.namespace}]


async def _show(options: Globals, incident_id: str) -> None:
    async with opened(options) as system:
        show_remediation(options, system, await system.incidents.load(incident_id))


async def _watch(options: Globals) -> None:
    seen: dict[str, int] = {}
    async with opened(options) as system:
        while True:
            found = [one for one in await system.incidents.list() if options.namespace in {"", one.target.namespace}]
            for one in [one for one in reversed(found) if seen.get(one.id) != one.version]:
                seen[one.id] = one.version
                _print_change(options, summary(one))
            await asyncio.sleep(_POLL_SECONDS)


def _print_change(options: Globals, item: Json) -> None:
    row = f"{item['id']}  {item['target']['kind']}/{item['target']['name']}  {item['phase']}  {item['reason'] or ''}"
    stream(options, item, row.rstrip)


async def _approve(options: Globals, incident_id: str) -> int:
    from aegis.flows.remediation import run
    from aegis.interfaces.cli.approver import TerminalApprover
    from aegis.interfaces.cli.cut_short import told_where_it_stands
    from aegis.model.incident import Phase
    from aegis.stores.locks import target_lock
    from aegis.wiring import links

    async with opened(options) as system:
        found = await system.incidents.load(incident_id)
        async with target_lock(system.places.locks, system.cluster.uid, found.target):
            found = await system.incidents.load(found.id)
            if found.phase is not Phase.AWAITING_APPROVAL:
                raise Refused(f"{found.id} is {found.phase}: there is nothing to approve", hint="See incident show.")
            approver = TerminalApprover(
                links=links(system.settings, found.target), yes=options.yes, no_color=options.no_color
            )
            tools = system.tools(approver=approver, progress=progress_of(options))
            async with told_where_it_stands(system, found.target):
                ended = await run(tools, found)
        return show_remediation(options, system, ended)


async def _reject(options: Globals, incident_id: str, reason: str) -> None:
    from aegis.flows.remediation import reject as rejected
    from aegis.interfaces.cli.approver import TerminalApprover
    from aegis.stores.locks import target_lock

    async with opened(options) as system:
        found = await system.incidents.load(incident_id)
        async with target_lock(system.places.locks, system.cluster.uid, found.target):
            tools = system.tools(approver=TerminalApprover(links={}), progress=progress_of(options))
            ended = await rejected(tools, await system.incidents.load(found.id), reason)
        show_remediation(options, system, ended)


def summary(incident: Incident) -> JsonObject:
    """An item of `kind: IncidentList`."""
    diagnosis = incident.diagnosis
    return {
        "id": incident.id,
        "target": incident.target.to_dict(),
        "phase": incident.phase.value,
        "reason": incident.reason,
        "message": incident.message,
        "cause": diagnosis.cause if diagnosis else None,
        "decision": incident.verdict.decision.value if incident.verdict else None,
        "opened_at": incident.opened_at.isoformat().replace("+00:00", "Z"),
        "applied": incident.applied_at is not None,
        "rolled_back": incident.rolled_back,
        "version": incident.version,
    }
