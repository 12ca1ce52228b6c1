"""`aegis shadow create|list|status|wait|verify|delete`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aegis.errors import UsageError
from aegis.interfaces.cli.options import Duration, Globals, completing, group
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import document, emit, list_document, stream
from aegis.interfaces.cli.session import namespace_of, opened, progress_of, run_async, run_watch
from aegis.interfaces.cli.shadow_text import deleted_text, line_of, list_text, session_text, verification_text
from aegis.interfaces.cli.targets import MANIFESTS, existing_target
from aegis.model.refs import JsonObject

if TYPE_CHECKING:
    from aegis.flows.shadows import ShadowTools
    from aegis.model.changes import Fix
    from aegis.model.shadow import Seen, ShadowSession
    from aegis.wiring import System

_STREAMING = ("table", "json", "yaml", "jsonl")
_POLL_SECONDS = 1.0
_PATIENCE = 300.0
_LONGEST_WATCH = 1800.0

_VERIFIED = {
    "ACCEPT": ("no regression", 0),
    "REJECT": ("regression", 1),
    "INCONCLUSIVE": ("inconclusive", 3),
}


@group(
    "shadow",
    examples="""\
aegis shadow create deploy/web -n shop                 copy it, cut off from everything; prints its id
aegis shadow wait 1a2b3c4d                             until its pods are ready
aegis shadow verify 1a2b3c4d --changes change.yaml     try a change on fresh copies beside it
aegis shadow list
aegis shadow delete 1a2b3c4d
""",
)
def command() -> None:
    """Shadows on their own: isolated copies of a workload, to look at and to try changes on.

    A shadow holds copies of the workload and of what it calls, with faked Secrets, in a namespace that nothing
    reaches and that reaches nothing; that is proved before anything is copied. It goes by itself when its time is
    over (two hours at most).
    """


@make(
    "create",
    examples="""\
aegis shadow create deploy/web -n shop
aegis shadow create sts/db -n shop --ttl 30m -o json
aegis shadow create -f deployment.yaml
""",
    parent=command,
)
@click.argument("target", nargs=-1, shell_complete=completing("targets"))
@MANIFESTS
@click.option("--ttl", type=Duration(), help="How long it stands: 30m, 1h; two hours at most (and by default).")
@click.pass_obj
def create(options: Globals, target: tuple[str, ...], *, files: tuple[Path, ...], ttl: float | None) -> int:
    """Copy the workload TARGET (KIND/NAME) into a shadow of its own, and start it.

    Returns once the copies are started: `aegis shadow wait` waits until they are ready. Production is only read.
    Ends with 0 when it stands, 3 where it could not be proved that it is cut off (then nothing was copied).
    """
    return run_async(_create(options, target, files, ttl), options)


@make(
    "list",
    outputs=_STREAMING,
    examples="aegis shadow list\naegis shadow list -n shop -o json\naegis shadow list -w",
    parent=command,
)
@click.option("-w", "--watch", is_flag=True, help="Go on with each change, until interrupted or --timeout is over.")
@click.pass_obj
def list_shadows(options: Globals, *, watch: bool) -> None:
    """List the shadows of this cluster, the newest first; with -n only those of a namespace's workloads."""
    (run_watch if watch else run_async)(_list(options, watch=watch), options)


@make(
    "status",
    outputs=_STREAMING,
    examples="aegis shadow status 1a2b3c4d\naegis shadow status 1a2b -o yaml\naegis shadow status 1a2b -w",
    parent=command,
)
@click.argument("shadow", shell_complete=completing("shadows"))
@click.option("-w", "--watch", is_flag=True, help="Go on with each change, until it is gone.")
@click.pass_obj
def status(options: Globals, shadow: str, *, watch: bool) -> None:
    """Show one SHADOW (its id, or the beginning of it): where it lives, what runs, what differs from production."""
    (run_watch if watch else run_async)(_status(options, shadow, watch=watch), options)


@make(
    "wait",
    examples="aegis shadow wait 1a2b3c4d\naegis shadow wait 1a2b3c4d --timeout 2m && echo ready",
    parent=command,
)
@click.argument("shadow", shell_complete=completing("shadows"))
@click.pass_obj
def wait(options: Globals, shadow: str) -> int:
    """Wait until all pods of a SHADOW are ready, for five minutes or as long as --timeout says.

    Ends with 0 when it is ready, 1 where it is not in that time, or will not become so (expired, lost, failed).
    """
    seconds, options.timeout = options.timeout or _PATIENCE, None
    return run_async(_wait(options, shadow, seconds), options)


@make(
    "verify",
    examples="""\
aegis shadow verify 1a2b3c4d --changes change.yaml
aegis shadow verify 1a2b3c4d --changes change.yaml --duration 10m -o json
kubectl kustomize overlay | make-changes | aegis shadow verify 1a2b3c4d --changes -
""",
    parent=command,
)
@click.argument("shadow", shell_complete=completing("shadows"))
@click.option(
    "--changes",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="What to try: a list of {target, type: apply|json-patch, patch}; without it the workload as it is.",
)
@click.option(
    "--duration", type=Duration(), help="How long the candidate must stay good, at least (default: two minutes)."
)
@click.pass_obj
def verify(options: Globals, shadow: str, *, changes: Path | None, duration: float | None) -> int:
    """Try changes on fresh copies beside a SHADOW, through the gates of a trial.

    There is no incident to reproduce, so the result says "no regression", never "fixed". Production and the shadow
    itself stay as they are. Ends with 0 no regression, 1 regression (a gate failed), 3 inconclusive.
    """
    return run_async(_verify(options, shadow, changes, duration), options)


@make(
    "delete",
    examples="aegis shadow delete 1a2b3c4d\naegis shadow delete 1a2b3c4d 5e6f7a8b\naegis shadow delete --all",
    parent=command,
)
@click.argument("shadows", nargs=-1, shell_complete=completing("shadows"))
@click.option("--all", "everything", is_flag=True, help="Every shadow of this cluster (with -n: of a namespace).")
@click.pass_obj
def delete(options: Globals, shadows: tuple[str, ...], *, everything: bool) -> None:
    """Remove SHADOWS and wait until they are gone: only namespaces that AEGIS made, known by their uids."""
    run_async(_delete(options, shadows, everything=everything), options)


@asynccontextmanager
async def _tools(options: Globals) -> AsyncIterator[tuple[System, ShadowTools]]:
    """The system and what shadows need; what a dead process left of them is mended first."""
    from aegis.flows.shadows import mend

    async with opened(options) as system:
        tools = system.shadow_tools(progress_of(options))
        await mend(tools)
        yield system, tools


async def _create(options: Globals, words: tuple[str, ...], files: tuple[Path, ...], ttl: float | None) -> int:
    """Make it, print it, and say how it ended.

    Raises:
        UsageError: if it would stand too long.
    """
    from aegis.flows.shadows import create as made
    from aegis.model.shadow import Seen, Stage

    async with opened(options) as system:
        tools = system.shadow_tools(progress_of(options))
        life = timedelta(minutes=system.settings.shadow.ttl_minutes)
        if ttl is not None and timedelta(seconds=ttl) > life:
            raise UsageError(
                f"--ttl is at most {life.total_seconds() / 60:.0f}m", hint="See shadow.ttl_minutes in `aegis config`."
            )
        namespace = namespace_of(options, system)
        target = await existing_target(system.reader, words, namespace, files, given=options.namespace)
        await system.tidy()
        session = await made(tools, target, timedelta(seconds=ttl) if ttl else life)
        seen = await tools.provider.look(session) if session.stage is not Stage.FAILED else Seen(there=False)
        result = _document(tools, session, seen)
    emit(options, result, lambda: session_text(result))
    return 3 if session.stage is Stage.FAILED else 0


async def _list(options: Globals, *, watch: bool) -> None:
    async with _tools(options) as (_, tools):
        if not watch:
            _print_list(options, await _items(options, tools))
            return
        await _watch(options, lambda: _items(options, tools), until=lambda _: False)


def _print_list(options: Globals, items: list[JsonObject]) -> None:
    if options.output == "jsonl":
        for item in items:
            stream(options, item, str)
        return
    emit(options, list_document("ShadowSession", items), lambda: list_text(items))


async def _status(options: Globals, words: str, *, watch: bool) -> None:
    async with _tools(options) as (_, tools):
        session = _find(tools, words)
        if not watch:
            result = _document(tools, session, await tools.provider.look(session))
            emit(options, result, lambda: session_text(result))
            return

        async def look() -> list[JsonObject]:
            return [one for one in await _items(options, tools) if one["id"] == session.id]

        await _watch(options, look, until=lambda items: not items)


async def _watch(
    options: Globals,
    look: Callable[[], Any],
    *,
    until: Callable[[list[JsonObject]], bool],
) -> None:
    """Print each shadow as it changes."""
    shown: dict[str, JsonObject] = {}
    while True:
        items = await look()
        for item in items:
            if shown.get(item["id"]) != item:
                stream(options, item, partial(line_of, item))
        shown = {item["id"]: item for item in items}
        if until(items):
            return
        await asyncio.sleep(_POLL_SECONDS)


async def _wait(options: Globals, words: str, seconds: float) -> int:
    from aegis.flows.shadows import wait as waited

    async with _tools(options) as (_, tools):
        session, seen = await waited(tools, _find(tools, words).id, seconds)
        result = _document(tools, session, seen)
    emit(options, result, lambda: session_text(result))
    return 0 if result["phase"] == "Ready" else 1


async def _verify(options: Globals, words: str, changes: Path | None, duration: float | None) -> int:
    """Try, print, and say how it ended.

    Raises:
        UsageError: if it would take too long.
    """
    from time import monotonic

    from aegis.flows.shadows import verify as verified

    if duration is not None and duration > _LONGEST_WATCH:
        raise UsageError(f"--duration is at most {_LONGEST_WATCH / 60:.0f}m", hint="Choose a shorter one.")

    began = monotonic()
    async with _tools(options) as (system, tools):
        session = _find(tools, words)
        fix = await _fix(options, system, session, changes)
        await system.tidy()
        tried = await verified(tools, session, fix, duration)
    result, status = _VERIFIED[tried.verdict.decision.value]
    shown = document(
        "ShadowVerification",
        shadow=session.id,
        target=session.target.to_dict(),
        result=result,
        reason=tried.verdict.reason,
        verdict=tried.verdict.to_dict(),
        security=tried.security.to_dict() if tried.security else None,
        changes=fix.change_set.to_dict() if fix.change_set else None,
        digest=fix.change_set.digest if fix.change_set else None,
        duration_seconds=round(monotonic() - began, 1),
    )
    emit(options, shown, lambda: verification_text(shown))
    return status


async def _fix(options: Globals, system: System, session: ShadowSession, path: Path | None) -> Fix:
    """What is to be tried: the given changes, or none."""
    from aegis.interfaces.cli.approver import TerminalApprover
    from aegis.interfaces.cli.fix import read_given
    from aegis.model.changes import Fix, Risk

    tools = system.tools(approver=TerminalApprover(links={}), progress=progress_of(options))
    given = await read_given(tools, path, session.target.namespace)
    return given or Fix(id="none", summary=f"{session.target} as it is", change_set=None, risk=Risk.LOW)


async def _delete(options: Globals, words: tuple[str, ...], *, everything: bool) -> None:
    """Remove what was named.

    Raises:
        UsageError: if nothing was, or both names and --all.
    """
    from aegis.flows.shadows import delete as deleted

    if bool(words) == everything:
        raise UsageError("say which shadows, or --all", hint="See `aegis shadow list`.")

    tell = progress_of(options)
    async with _tools(options) as (_, tools):
        if words:
            chosen = list({session.id: session for session in (_find(tools, word) for word in words)}.values())
        else:
            chosen = [one for one in tools.store.list() if options.namespace in {"", one.target.namespace}]
        for session in chosen:
            tell(f"deleting the shadow {session.id}", of=str(session.target))
            await deleted(tools, session)
    items = [{"id": one.id, "target": one.target.to_dict(), "phase": "Deleted"} for one in chosen]
    emit(options, list_document("ShadowSession", items), lambda: deleted_text(items))


async def _items(options: Globals, tools: ShadowTools) -> list[JsonObject]:
    sessions = [one for one in tools.store.list() if options.namespace in {"", one.target.namespace}]
    return [_document(tools, session, await tools.provider.look(session)) for session in sessions]


def _find(tools: ShadowTools, words: str) -> ShadowSession:
    """By id, or by the name of its namespace."""
    named = [one for one in tools.store.list() if one.home is not None and one.home.name == words]
    return named[0] if named else tools.store.load(words.removeprefix("shadow/"))


def _document(tools: ShadowTools, session: ShadowSession, seen: Seen) -> JsonObject:
    from aegis.model.shadow import session_to_dict

    return session_to_dict(session, seen, tools.now())
