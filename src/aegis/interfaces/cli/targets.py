"""Which objects a command is about: `KIND/NAME`, `KIND NAME …`, a kind alone, or what manifests hold; as kubectl takes it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click

from aegis.errors import NotFound, PermissionDenied, UsageError
from aegis.model.refs import ObjectRef
from aegis.ports import ClusterReader

CLUSTER_SCOPED = "-"
"""The namespace that a driver gives a kind that lives in none."""

_SPELLING = "Write KIND/NAME or KIND NAME, as deploy/web."
_LARGEST: Final = 8 << 20
_MOST_OBJECTS: Final = 2000
_MOST_NAMED: Final = 5

WORKLOADS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod", "ReplicaSet"})
ANALYZED: Final = WORKLOADS | {"Service", "PersistentVolumeClaim", "HorizontalPodAutoscaler", "Node", "Ingress"}
"""Kinds that can fail by themselves: of a manifest the others are passed over."""

MANIFESTS: Final = click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    metavar="FILE|-",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="Take the target from a manifest (- for stdin).",
)
"""The option `-f`, as kubectl has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What was typed to name objects.

    Attributes:
        names: kind and name of each object.
        kind: a kind alone; empty where objects are named.
    """

    names: tuple[tuple[str, str], ...] = ()
    kind: str = ""


def typed(words: Sequence[str]) -> Typed:
    """What the words mean: `deploy/web svc/web`, `deploy web api`, or `deploy`.

    Raises:
        UsageError: if they mean nothing.
    """
    if not words:
        return Typed()
    if any("/" in word for word in words):
        return Typed(names=tuple(_pair(word) for word in words))
    kind, *names = words
    if not kind or not all(names):
        raise UsageError("an empty word names no object", hint=_SPELLING)
    return Typed(names=tuple((kind, name) for name in names), kind="" if names else kind)


def split_target(words: Sequence[str]) -> tuple[str, str] | None:
    """The kind and the name of the one object that was typed; None where nothing was.

    Raises:
        UsageError: if it is not spelled so, or several were.
    """
    found = typed(words)
    if found.kind:
        raise UsageError(f"{found.kind!r} names no object", hint=_SPELLING)
    if len(found.names) > 1:
        raise UsageError(f"{len(found.names)} objects are named: {' '.join(words)}", hint="Name one at a time.")
    return found.names[0] if found.names else None


async def resolve_target(reader: ClusterReader, words: Sequence[str], namespace: str) -> ObjectRef | None:
    """The object that was typed; None where nothing was.

    Raises:
        UsageError: if it is not spelled so, or the server has no such kind.
    """
    pair = split_target(words)
    return None if pair is None else await _resolved(reader, *pair, namespace)


async def existing_target(
    reader: ClusterReader, words: Sequence[str], namespace: str, files: Sequence[Path] = (), *, given: str = ""
) -> ObjectRef:
    """The one object that was typed or that the manifests hold, if it is there.

    Args:
        reader: of the cluster.
        words: what was typed.
        namespace: the one that is meant where none is said.
        files: manifests; a workload of theirs is meant.
        given: the namespace of `-n`, which manifests must not contradict.

    Raises:
        UsageError: if no object is named, or several, or it is spelled wrongly.
        NotFound: if it is not there.
    """
    refs = await named_targets(reader, typed(words), namespace, files, given=given)
    if split_target(words) is None and len(refs) > 1:
        refs = [ref for ref in refs if ref.kind in WORKLOADS]
    if len(refs) != 1:
        raise UsageError(_how_many(refs), hint=_SPELLING if not refs else "Name one: KIND/NAME.")
    await must_be_there(reader, refs[0])
    return refs[0]


async def must_be_there(reader: ClusterReader, ref: ObjectRef) -> None:
    """That an object is there.

    Raises:
        NotFound: if it is not; the hint says what is, or that the namespace is not there either.
    """
    if await reader.find(ref) is not None:
        return
    where = f" in the namespace {ref.namespace}" if ref.namespace else ""
    raise NotFound(f"there is no {ref.kind} {ref.name}{where}", hint=await _what_there_is(reader, ref))


async def _what_there_is(reader: ClusterReader, ref: ObjectRef) -> str:
    """What to do about an object that is not there."""
    from difflib import get_close_matches

    try:
        names = [
            str(obj["metadata"]["name"])
            for obj in await reader.list(ref.api_version, ref.kind, namespace=ref.namespace)
        ]
        home = ObjectRef(api_version="v1", kind="Namespace", name=ref.namespace)
        if not names and ref.namespace and await reader.find(home) is None:
            return f"There is no namespace {ref.namespace} either: say which with -n."
    except PermissionDenied:
        return "Say which namespace with -n."
    near = get_close_matches(ref.name, names, n=1)
    if near:
        return f"Did you mean {near[0]}?"
    shown = ", ".join(sorted(names)[:_MOST_NAMED])
    return f"There: {shown}{', …' if len(names) > _MOST_NAMED else ''}." if names else "Say which namespace with -n."


async def named_targets(
    reader: ClusterReader, words: Typed, namespace: str, files: Sequence[Path] = (), *, given: str = ""
) -> list[ObjectRef]:
    """The objects that were typed, and those of the manifests that can fail, each once.

    Raises:
        UsageError: if the server has no such kind, or a file holds no such object.
    """
    found = [await _resolved(reader, kind, name, namespace) for kind, name in words.names]
    for path in files:
        held = [await _held(reader, obj, namespace, given) for obj in manifests(path) if obj.get("kind") in ANALYZED]
        if not held:
            raise UsageError(f"{path} holds no workload, Service or other object that can fail")
        found += held
    return list(dict.fromkeys(found))


def manifests(path: Path) -> list[Mapping[str, Any]]:
    """The objects of a manifest, Lists taken apart.

    Raises:
        UsageError: if it is no manifest.
    """
    from aegis.evidence.documents import Unparsed

    try:
        found = [obj for document in _documents(_text(path)) for obj in _flat(document)]
    except (OSError, UnicodeDecodeError, Unparsed) as error:
        why = "it holds no text" if isinstance(error, UnicodeDecodeError) else " ".join(str(error).split())[:200]
        raise UsageError(f"{path} cannot be read as YAML or JSON: {why}", hint="Give a manifest.") from error
    if not found:
        raise UsageError(f"{path} holds no object", hint="Give a manifest.")
    for obj in found:
        if not isinstance(obj, Mapping) or not isinstance(obj.get("kind"), str) or not _name(obj):
            raise UsageError(f"{path} holds something that is no object: kind or metadata.name is missing")
    if len(found) > _MOST_OBJECTS:
        raise UsageError(f"{path} holds {len(found)} objects; {_MOST_OBJECTS} is the most")
    return found


def _documents(text: str) -> list[Any]:
    """JSON, or YAML; what begins with a bracket may be either, since YAML has a flow style.

    Raises:
        Unparsed: if it is neither.
    """
    from aegis.evidence.documents import Unparsed, documents

    try:
        return list(documents(text))
    except Unparsed:
        if text.lstrip()[:1] not in {"{", "["}:
            raise
    return list(documents(f"---\n{text}"))


def _pair(word: str) -> tuple[str, str]:
    kind, _, name = word.partition("/")
    if not kind or not name or "/" in name:
        raise UsageError(f"{word!r} names no object", hint=_SPELLING)
    return kind, name


def _how_many(refs: Sequence[ObjectRef]) -> str:
    if not refs:
        return "no object is named"
    names = ", ".join(f"{ref.kind}/{ref.name}" for ref in refs[:_MOST_NAMED])
    return f"{len(refs)} objects are named: {names}{', …' if len(refs) > _MOST_NAMED else ''}"


async def _resolved(reader: ClusterReader, kind: str, name: str, namespace: str) -> ObjectRef:
    ref = await reader.resolve(kind)
    where = "" if ref.namespace == CLUSTER_SCOPED else namespace
    return replace(ref, name=name, namespace=where)


async def _held(reader: ClusterReader, obj: Mapping[str, Any], namespace: str, given: str) -> ObjectRef:
    """An object of a manifest, in the namespace that it says itself.

    Raises:
        UsageError: if that is not the one of `-n`.
    """
    ref = ObjectRef.of(obj)
    if given and ref.namespace and ref.namespace != given:
        raise UsageError(f"{ref} is not in {given}, which -n says", hint="Leave -n out, or correct it.")
    known = await reader.resolve(f"{ref.kind}.{ref.group}" if ref.group else ref.kind)
    return replace(ref, namespace="" if known.namespace == CLUSTER_SCOPED else ref.namespace or namespace)


def _flat(document: Any) -> list[Any]:
    if document is None:
        return []
    if isinstance(document, Mapping) and str(document.get("kind") or "").endswith("List"):
        return [inner for item in document.get("items") or [] for inner in _flat(item)]
    return [document]


def _name(obj: Mapping[str, Any]) -> str:
    metadata = obj.get("metadata")
    return str(metadata.get("name") or "") if isinstance(metadata, Mapping) else ""


def _text(path: Path) -> str:
    """No more than is permitted is read, whatever it is.

    Raises:
        UsageError: if it is larger.
    """
    if str(path) == "-":
        data = sys.stdin.buffer.read(_LARGEST + 1)
    else:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise UsageError(f"{path} is too large for a manifest")
    return data.decode()
