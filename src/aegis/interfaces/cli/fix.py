"""`aegis fix`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aegis.errors import Refused, UsageError
from aegis.interfaces.cli.options import Globals, completing
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import emit
from aegis.interfaces.cli.session import namespace_of, opened, progress_of, run_async
from aegis.interfaces.cli.targets import MANIFESTS, existing_target, split_target
from aegis.model.changes import Change, Fix, parse_change
from aegis.model.refs import ObjectRef

if TYPE_CHECKING:
    from aegis.flows.tools import Tools
    from aegis.model.incident import Incident
    from aegis.wiring import System

_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asks for.

    Attributes:
        fix_id: which fix of the diagnosis; empty: the best.
        changes: a file with a fix of one's own.
        emit: where to hand the fix over instead of applying it.
        dry_run: try and show, but do not apply.
        propose: only say what would be done.
    """

    fix_id: str = ""
    changes: Path | None = None
    emit: Path | None = None
    dry_run: bool = False
    propose: bool = False

    def __post_init__(self) -> None:
        if self.fix_id and self.changes:
            raise UsageError("--fix and --changes exclude each other", hint="Choose one.")


@make(
    "fix",
    examples="""\
aegis fix deploy/web -n shop                        analyze, try in a shadow, ask, apply, watch
aegis fix deploy/web -n shop --yes                  answer yes for low and medium risk
aegis fix deploy/web -n shop --dry-run              try it and show the panel; production is not changed
aegis fix deploy/web -n shop --no-verify            only propose; nothing at all is written
aegis fix deploy/web -n shop --changes fix.yaml     your own fix through the same trial
aegis fix -f web.yaml                               the workload of a manifest (- for stdin)
aegis fix deploy/web -n shop --emit handoff/        files for the owner (Argo CD, Flux, …)
""",
)
@click.argument("target", nargs=-1, shell_complete=completing("targets"))
@MANIFESTS
@click.option("--fix", "fix_id", default="", metavar="ID", help="Which fix of the diagnosis to try.")
@click.option(
    "--changes",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="A fix of your own: a list of {target, type: apply|json-patch, patch}.",
)
@click.option(
    "--dry-run",
    is_flag=False,
    flag_value="server",
    default=None,
    type=click.Choice(["server", "client"]),
    help="server: try it and show the panel, but do not apply; client: as --no-verify.",
)
@click.option("--no-verify", is_flag=True, help="Only propose: nothing is written, not even a shadow.")
@click.option(
    "--emit",
    "emit_to",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write patch, verification bundle and pull-request text instead of applying.",
)
@click.pass_obj
def command(
    options: Globals,
    target: tuple[str, ...],
    *,
    files: tuple[Path, ...],
    fix_id: str,
    changes: Path | None,
    dry_run: str | None,
    no_verify: bool,
    emit_to: Path | None,
) -> int:
    """Mend TARGET (KIND/NAME): find the root cause, try the fix in an isolated shadow, ask, apply, watch.

    Only a fix that the trial accepts is ever applied, exactly as it was tried. Ends with 0 resolved or
    handed over, 1 rejected by the trial or rolled back, 3 inconclusive, 4 refused.
    """
    split_target(target)
    wish = Wish(
        fix_id=fix_id,
        changes=changes,
        emit=emit_to,
        dry_run=dry_run is not None,
        propose=no_verify or dry_run == "client",
    )
    return run_async(_fix(options, target, files, wish), options)


async def _fix(options: Globals, words: tuple[str, ...], files: tuple[Path, ...], wish: Wish) -> int:
    if not words and not files:
        raise UsageError("no TARGET is named", hint="Write KIND/NAME, as deploy/web, or -f FILE.")
    async with opened(options) as system:
        namespace = namespace_of(options, system)
        ref = await existing_target(system.reader, words, namespace, files, given=options.namespace)
        if wish.propose:
            return await _propose(options, system, ref, wish)
        return await remediate(options, system, ref, wish)


async def remediate(options: Globals, system: System, ref: ObjectRef, wish: Wish) -> int:
    """The whole flow on one object; the exit status.

    Raises:
        Refused: if the object is of a shadow: nothing there is an incident.
    """
    from aegis.flows.remediation import open_incident, run
    from aegis.interfaces.cli.approver import TerminalApprover
    from aegis.interfaces.cli.cut_short import told_where_it_stands
    from aegis.stores.locks import target_lock
    from aegis.wiring import links

    approver = TerminalApprover(
        links=links(system.settings, ref),
        yes=options.yes,
        dry_run=wish.dry_run,
        no_color=options.no_color,
        quiet=options.quiet,
    )
    tools = system.tools(
        approver=approver,
        progress=progress_of(options),
        emit=wish.emit,
        fix_id=wish.fix_id,
        dry_run=wish.dry_run,
    )
    given = await read_given(tools, wish.changes, ref.namespace)
    if ref.namespace in await system.own_shadows():
        raise Refused(f"{ref} belongs to a trial of AEGIS: nothing there is an incident", hint="Name it in production.")
    await system.tidy()
    async with target_lock(system.places.locks, system.cluster.uid, ref), told_where_it_stands(system, ref):
        incident = await run(tools, await open_incident(tools, ref, given))
    return show(options, system, incident, dry_run=wish.dry_run)


def show(options: Globals, system: System, incident: Incident, *, dry_run: bool = False) -> int:
    """Print `kind: Remediation`; the exit status."""
    from aegis.flows.outcome import exit_status, remediation_to_dict
    from aegis.interfaces.cli.remediation_text import remediation_text
    from aegis.model.incident import Phase
    from aegis.wiring import links

    result = remediation_to_dict(incident, links=links(system.settings, incident.target))
    emit(options, result, lambda: remediation_text(result))
    if dry_run and incident.phase is Phase.AWAITING_APPROVAL:
        return 0
    return exit_status(incident)


async def _propose(options: Globals, system: System, ref: ObjectRef, wish: Wish) -> int:
    """Diagnosis and fix, and nothing written: not to the cluster, not to the store."""
    from aegis.flows.explain import choose
    from aegis.flows.outcome import remediation_to_dict
    from aegis.flows.tools import utc_now
    from aegis.interfaces.cli.approver import TerminalApprover
    from aegis.interfaces.cli.remediation_text import remediation_text
    from aegis.model.diagnosis import Confidence
    from aegis.model.incident import Incident, Phase
    from aegis.wiring import links

    tools = system.tools(approver=TerminalApprover(links={}), progress=progress_of(options), fix_id=wish.fix_id)
    given = await read_given(tools, wish.changes, ref.namespace)
    evidence, diagnosis = await system.investigate(ref)
    fix = given or choose(diagnosis, wish.fix_id)
    incident = Incident(
        id="", cluster_uid=system.cluster.uid, target=ref, opened_at=utc_now(), phase=Phase.ANALYZING,
        evidence=evidence, diagnosis=diagnosis, fix=fix, given=given is not None,
        message="only proposed: nothing was tried and nothing written",
    )  # fmt: skip
    result = remediation_to_dict(incident, links=links(system.settings, ref))
    emit(options, {**result, "incident": None}, lambda: remediation_text(result))
    return 0 if fix is not None or diagnosis.verdict is Confidence.HEALTHY else 3


async def read_given(tools: Tools, path: Path | None, namespace: str) -> Fix | None:
    """The fix of `--changes`, if it is permitted; None where none was given.

    Raises:
        UsageError: if the file is not of that form.
        Refused: if it does what no fix may do.
    """
    from aegis.flows.given import checked_fix

    return await checked_fix(tools, parse_changes(path, namespace), namespace) if path else None


def parse_changes(path: Path, namespace: str) -> list[Change]:
    """The items of a `--changes` file: YAML or JSON, a list or `{changes: […]}`.

    Raises:
        UsageError: if it is not of that form.
        Refused: if it deletes.
    """
    items = _read_list(path)
    found: list[Change] = []
    for number, item in enumerate(items, start=1):
        if not isinstance(item, Mapping):
            raise UsageError(f"{path}: change {number} is no mapping", hint="Write target, type and patch.")
        if item.get("type") in {"delete", "evict"}:
            raise Refused(f"{path}: change {number} is of type {item['type']}: a given fix deletes nothing")
        try:
            found.append(parse_change(item, namespace=namespace))
        except ValueError as error:
            raise UsageError(f"{path}: change {number}: {error}", hint="Write target, type and patch.") from error
    return found


def _read_list(path: Path) -> list[Any]:
    from aegis.evidence.documents import Unparsed, documents

    try:
        text = _text_of(path)
        in_brackets = text.lstrip()[:1] in {"{", "["}  # YAML's flow style, of which JSON is a part
        found = list(documents(f"---\n{text}" if in_brackets else text))
    except (OSError, UnicodeDecodeError, Unparsed) as error:
        why = "it holds no text" if isinstance(error, UnicodeDecodeError) else " ".join(str(error).split())[:200]
        raise UsageError(
            f"{path} cannot be read as YAML or JSON: {why}", hint="Write a list of {target, type, patch}."
        ) from error
    if len(found) > 1:
        raise UsageError(f"{path} holds {len(found)} documents", hint="Write one list of {target, type, patch}.")
    content = found[0] if found else None
    if isinstance(content, Mapping):
        content = content.get("changes", content)
    if isinstance(content, Mapping):
        content = [content]
    if not isinstance(content, list) or not content:
        raise UsageError(f"{path} is no list of changes", hint="Write a list of {target, type, patch}.")
    return content


def _text_of(path: Path) -> str:
    """No more than is permitted is read, whatever it is.

    Raises:
        UsageError: if it is too large.
    """
    import sys

    if str(path) == "-":
        text = sys.stdin.read(_LARGEST + 1)
    else:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise UsageError(f"{path} is too large for a list of changes")
    return text
