"""`aegis analyze`."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

import click

from aegis.errors import NotFound, PermissionDenied, UsageError
from aegis.interfaces.cli.options import Globals
from aegis.interfaces.cli.options import command as make
from aegis.interfaces.cli.output import emit, list_document
from aegis.interfaces.cli.session import namespace_of, opened, run_async
from aegis.interfaces.cli.targets import existing_target, split_target
from aegis.interfaces.cli.text import diagnoses_text, diagnosis_text
from aegis.model.diagnosis import Confidence, Diagnosis, diagnosis_to_dict
from aegis.model.evidence import Evidence
from aegis.model.refs import JsonObject, ObjectRef
from aegis.ports import ClusterReader

_STATUS = {Confidence.HEALTHY: 0, Confidence.CONFIRMED: 1, Confidence.LIKELY: 1, Confidence.INCONCLUSIVE: 3}


@make(
    "analyze",
    examples="""\
aegis analyze deploy/web -n shop           one object: what is wrong, and which object must change
aegis analyze -n shop                      every problem of a namespace
aegis analyze -A -o json                   of the cluster, for machines
aegis analyze --from evidence/             of recorded evidence; no cluster is needed
aegis analyze deploy/web -n shop --from dump.yaml
""",
)
@click.argument("target", nargs=-1)
@click.option("--from", "source", type=click.Path(path_type=Path), help="Recorded evidence: a file or a folder.")
@click.pass_obj
def command(options: Globals, target: tuple[str, ...], source: Path | None) -> int:
    """Say what is wrong with TARGET (KIND/NAME), and which object must change. Writes nothing.

    Without TARGET: every problem of the namespace, or with -A of the cluster. Ends with 0 where all is
    healthy, 1 where a problem was found, 3 where the evidence does not decide.
    """
    if source is not None:
        return _recorded(options, target, source)
    if target:
        return run_async(_one(options, target), options)
    return run_async(_all(options), options)


async def _one(options: Globals, words: tuple[str, ...]) -> int:
    from aegis.wiring import links

    split_target(words)
    async with opened(options) as system:
        ref = await existing_target(system.reader, words, namespace_of(options, system))
        evidence, diagnosis = await system.investigate(ref)
        result = diagnosis_to_dict(diagnosis, evidence, links=links(system.settings, ref))
    emit(options, result, lambda: diagnosis_text(result))
    return _STATUS[diagnosis.verdict]


async def _all(options: Globals) -> int:
    async with opened(options) as system:
        namespaces = () if options.all_namespaces else (namespace_of(options, system),)
        evidence, found = await system.survey(namespaces)
        if namespaces and not found:
            await _check_there(system.reader, namespaces[0])
        items = [diagnosis_to_dict(one, evidence) for one in found]
    return _list(options, found, items)


async def _check_there(reader: ClusterReader, namespace: str) -> None:
    """Nothing is wrong in a namespace that does not exist, either.

    Raises:
        NotFound: if it does not.
    """
    with suppress(PermissionDenied):  # who may not see namespaces may still look into one
        if await reader.find(ObjectRef(api_version="v1", kind="Namespace", name=namespace)) is None:
            raise NotFound(f"there is no namespace {namespace}", hint="Say which with -n, or -A for all.")


def _list(options: Globals, found: tuple[Diagnosis, ...], items: list[JsonObject]) -> int:
    emit(options, list_document("Diagnosis", items), lambda: diagnoses_text(items))
    return _worst(found)


def _worst(found: tuple[Diagnosis, ...]) -> int:
    statuses = {_STATUS[one.verdict] for one in found}
    return 1 if 1 in statuses else max(statuses, default=0)


def _recorded(options: Globals, words: tuple[str, ...], source: Path) -> int:
    from aegis.diagnosis.engine import diagnose
    from aegis.evidence.dump import read_dump
    from aegis.flows.tools import utc_now

    typed = split_target(words)
    dump = read_dump([source])
    for path, why in dump.unreadable:
        sys.stderr.write(f"note: {path}: {why}\n")
    if not dump.evidence:
        raise UsageError(f"{source} holds no evidence that can be read", hint="Give YAML or JSON objects, or logs.")
    ref = _recorded_target(dump.evidence, typed, options.namespace) if typed else dump.target
    diagnosis = diagnose(dump.evidence, ref, now=utc_now())
    result = diagnosis_to_dict(diagnosis, dump.evidence)
    emit(options, result, lambda: diagnosis_text(result))
    return _STATUS[diagnosis.verdict]


def _recorded_target(evidence: tuple[Evidence, ...], typed: tuple[str, str], namespace: str) -> ObjectRef:
    """The object that was typed, as the evidence knows it: its namespace may be left out where only one fits.

    Raises:
        UsageError: where several do.
    """
    from aegis.drivers.kubernetes.resources import USUAL, find_word

    word, name = typed
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
