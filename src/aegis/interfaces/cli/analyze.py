"""`aegis analyze`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aegis.errors import NotFound, PermissionDenied, UsageError
from aegis.interfaces.cli.options import Globals, completing
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import emit, list_document, plain, stream
from aegis.interfaces.cli.problems_text import problems_text
from aegis.interfaces.cli.session import namespace_of, opened, run_async
from aegis.interfaces.cli.targets import CLUSTER_SCOPED, MANIFESTS, must_be_there, named_targets, split_target, typed
from aegis.interfaces.cli.text import diagnosis_text
from aegis.model.diagnosis import Confidence, Diagnosis, diagnosis_to_dict
from aegis.model.evidence import Evidence
from aegis.model.refs import JsonObject, ObjectRef
from aegis.ports import ClusterReader

if TYPE_CHECKING:
    from aegis.flows.survey import Wanted
    from aegis.kube.selector import Selector
    from aegis.wiring import System

_STATUS = {Confidence.HEALTHY: 0, Confidence.CONFIRMED: 1, Confidence.LIKELY: 1, Confidence.INCONCLUSIVE: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asks about.

    Attributes:
        words: the target as it was typed.
        files: manifests to take targets from.
        selector: of labels; empty: all.
        watch: go on.
    """

    words: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    selector: str = ""
    watch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one look found.

    Attributes:
        diagnoses: each with its document.
        single: one object was named, so that its diagnosis is the result and not a list.
    """

    diagnoses: tuple[tuple[Diagnosis, JsonObject], ...]
    single: bool = False

    @property
    def items(self) -> list[JsonObject]:
        """The documents."""
        return [document for _, document in self.diagnoses]

    @property
    def status(self) -> int:
        """The exit status: 1 before 3 before 0."""
        statuses = {_STATUS[diagnosis.verdict] for diagnosis, _ in self.diagnoses}
        return 1 if 1 in statuses else max(statuses, default=0)


@make(
    "analyze",
    outputs=("table", "json", "yaml", "jsonl"),
    examples="""\
aegis analyze deploy/web -n shop           one object: what is wrong, and which object must change
aegis analyze -n shop                      every problem of a namespace
aegis analyze -A -o json                   of the cluster, for machines
aegis analyze deploy -l app=web -n shop    of the Deployments with a label
aegis analyze -f web.yaml                  of what a manifest holds (- for stdin)
aegis analyze -A -w                        go on, and tell each change
aegis analyze --from evidence/             of recorded evidence; no cluster is needed
aegis analyze deploy/web -n shop --from dump.yaml
""",
)
@click.argument("target", nargs=-1, shell_complete=completing("targets"))
@click.option("--from", "source", type=click.Path(path_type=Path), help="Recorded evidence: a file or a folder.")
@MANIFESTS
@click.option("-l", "--selector", default="", help="Only objects with these labels (or whose pods have): app=web.")
@click.option("-w", "--watch", is_flag=True, help="Go on, and print each problem as it comes, changes or goes.")
@click.option("--explain", is_flag=True, help="Ask a configured LLM for a second opinion.")
@click.pass_obj
def command(
    options: Globals,
    target: tuple[str, ...],
    *,
    source: Path | None,
    files: tuple[Path, ...],
    selector: str,
    watch: bool,
    explain: bool,
) -> int:
    """Say what is wrong with TARGET (KIND/NAME), and which object must change. Writes nothing.

    Without TARGET: every problem of the namespace, or with -A of the cluster, one a root cause. Ends with 0 where all
    is healthy, 1 where a problem was found, 3 where the evidence does not decide. With -w, --timeout says how long to
    go on, and the last look how it ends.
    """
    _check(options, target, source, files=files, explain=explain, more=bool(selector) or watch)
    if source is not None:
        return _recorded(options, target, source)
    asked = Asked(words=target, files=files, selector=selector, watch=watch)
    if watch:
        seconds, options.timeout = options.timeout, None
        return run_async(_watched(options, asked, seconds), options)
    return run_async(_once(options, asked), options)


def _check(
    options: Globals, target: tuple[str, ...], source: Path | None, *, files: Sequence[Path], explain: bool, more: bool
) -> None:
    """What does not go together, and what is not there yet.

    Raises:
        UsageError: then.
    """
    if explain:
        raise UsageError(
            "--explain needs a configured LLM, and this release has no setting for one yet",
            hint="Leave --explain out: the diagnosis does not need it.",
        )
    if source is not None and (files or more):
        raise UsageError("--from excludes -f, -l and -w", hint="Recorded evidence does not change.")
    if target and files:
        raise UsageError("a target and -f exclude each other", hint="Choose one.")
    if options.all_namespaces and (files or typed(target).names):
        raise UsageError("an object is named, and -A says all namespaces", hint="Say which namespace with -n.")


async def _once(options: Globals, asked: Asked) -> int:
    async with opened(options, only_read=True) as system:
        found = await _look(options, system, asked)
    _print(options, found)
    return found.status


def _print(options: Globals, found: Found) -> None:
    if found.single:
        [item] = found.items
        emit(options, item, lambda: diagnosis_text(item))
        return
    if options.output == "jsonl":
        for item in found.items:
            stream(options, item, str)
        return
    emit(options, list_document("Diagnosis", found.items), lambda: problems_text(found.items))


async def _watched(options: Globals, asked: Asked, seconds: float | None) -> int:
    from aegis.interfaces.cli.analyze_watch import Changes, watched

    async with opened(options, only_read=True) as system:
        where = "" if options.all_namespaces or asked.files else namespace_of(options, system)
        changes = Changes(system.reader, where)

        async def look() -> tuple[int, list[JsonObject]]:
            found = await _look(options, system, asked)
            return found.status, found.items

        return await watched(options, changes, look, seconds)


async def _look(options: Globals, system: System, asked: Asked) -> Found:
    """What is asked about, as it is now."""
    namespace = namespace_of(options, system)
    named = await named_targets(system.reader, typed(asked.words), namespace, asked.files, given=options.namespace)
    for ref in named:
        await must_be_there(system.reader, ref)
    if len(named) == 1:
        return await _one(system, named[0])
    return await _several(options, system, await _wanted(options, system, asked, named))


async def _one(system: System, ref: ObjectRef) -> Found:
    from aegis.wiring import links

    evidence, diagnosis = await system.investigate(ref)
    document = diagnosis_to_dict(diagnosis, evidence, links=links(system.settings, ref))
    return Found(diagnoses=((diagnosis, document),), single=True)


async def _several(options: Globals, system: System, wanted: Wanted) -> Found:
    from aegis.flows.survey import survey
    from aegis.flows.tools import utc_now

    own = await system.own_shadows()
    seen = await survey(system.reader, wanted, own=own, clock=utc_now)
    for unread in () if options.quiet else seen.unread:
        sys.stderr.write(f"note: {plain(unread)}\n")
    if not wanted.targets and wanted.namespaces and not seen.found:
        await _check_there(system.reader, wanted.namespaces[0])
        if wanted.namespaces[0] in own and not options.quiet:
            sys.stderr.write(f"note: {wanted.namespaces[0]} is a shadow of AEGIS: name an object to look into it\n")
    return Found(diagnoses=tuple((one, diagnosis_to_dict(one, seen.evidence)) for one in seen.found))


async def _wanted(options: Globals, system: System, asked: Asked, named: Sequence[ObjectRef]) -> Wanted:
    from aegis.flows.survey import Wanted

    kind, everywhere = "", options.all_namespaces
    if word := typed(asked.words).kind:
        known = await system.reader.resolve(word)
        kind, everywhere = known.kind, everywhere or known.namespace == CLUSTER_SCOPED
    return Wanted(
        namespaces=() if named or everywhere else (namespace_of(options, system),),
        targets=tuple(named),
        kind=kind,
        selector=_selector(asked.selector) if asked.selector else None,
    )


def _selector(text: str) -> Selector:
    """The selector of `-l`.

    Raises:
        UsageError: if it is none.
    """
    from aegis.kube.selector import SelectorError, parse_selector

    try:
        return parse_selector(text)
    except SelectorError as error:
        raise UsageError(f"-l {text!r} is no selector: {error}", hint="Write app=web or 'tier in (a,b)'.") from error


async def _check_there(reader: ClusterReader, namespace: str) -> None:
    """Nothing is wrong in a namespace that does not exist, either.

    Raises:
        NotFound: if it does not.
    """
    with suppress(PermissionDenied):  # who may not see namespaces may still look into one
        if await reader.find(ObjectRef(api_version="v1", kind="Namespace", name=namespace)) is None:
            raise NotFound(f"there is no namespace {namespace}", hint="Say which with -n, or -A for all.")


def _recorded(options: Globals, words: tuple[str, ...], source: Path) -> int:
    from aegis.diagnosis.engine import diagnose
    from aegis.evidence.dump import read_dump
    from aegis.flows.tools import utc_now

    pair = split_target(words)
    dump = read_dump([source])
    for path, why in dump.unreadable:
        sys.stderr.write(f"note: {path}: {why}\n")
    if not dump.evidence:
        raise UsageError(f"{source} holds no evidence that can be read", hint="Give YAML or JSON objects, or logs.")
    ref = _recorded_target(dump.evidence, pair, options.namespace) if pair else dump.target
    diagnosis = diagnose(dump.evidence, ref, now=utc_now())
    result = diagnosis_to_dict(diagnosis, dump.evidence)
    emit(options, result, lambda: diagnosis_text(result))
    return _STATUS[diagnosis.verdict]


def _recorded_target(evidence: tuple[Evidence, ...], pair: tuple[str, str], namespace: str) -> ObjectRef:
    """The object that was typed, as the evidence knows it: its namespace may be left out where only one fits.

    Raises:
        UsageError: where several do.
    """
    from aegis.drivers.kubernetes.resources import USUAL, find_word

    word, name = pair
    usual = find_word(USUAL, word)
    kind = usual.kind if usual else word
    subjects = {item.subject for item in evidence}
    fitting = sorted(
        ref
        for ref in subjects
        if ref.kind.lower() == kind.lower() and ref.name == name and namespace in {"", ref.namespace}
    )
    if len({ref.namespace for ref in fitting}) > 1:
        places = ", ".join(sorted({ref.namespace for ref in fitting}))
        raise UsageError(f"{kind}/{name} is in several namespaces: {places}", hint="Say which with -n.")
    if fitting:
        return fitting[0]
    api_version = usual.api_version if usual else ""
    return ObjectRef(api_version=api_version, kind=kind, name=name, namespace=namespace)
