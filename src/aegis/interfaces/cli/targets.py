"""Which object a command is about: `KIND/NAME` or `KIND NAME`, as kubectl takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aegis.errors import UsageError
from aegis.model.refs import ObjectRef
from aegis.ports import ClusterReader

_TWO = 2
CLUSTER_SCOPED = "-"
"""The namespace that a driver gives a kind that lives in none."""


def split_target(words: Sequence[str]) -> tuple[str, str] | None:
    """The kind and the name that were typed; None where nothing was.

    Raises:
        UsageError: if it is neither `KIND/NAME` nor `KIND NAME`.
    """
    if not words:
        return None
    parts = words[0].split("/") if len(words) == 1 else list(words)
    if len(parts) != _TWO or not all(parts) or any("/" in part for part in parts):
        raise UsageError(f"{' '.join(words)!r} names no object", hint="Write KIND/NAME or KIND NAME, as deploy/web.")
    return parts[0], parts[1]


async def resolve_target(reader: ClusterReader, words: Sequence[str], namespace: str) -> ObjectRef | None:
    """The object that was typed; None where nothing was.

    Raises:
        UsageError: if it is not spelled so, or the server has no such kind.
    """
    typed = split_target(words)
    if typed is None:
        return None
    kind, name = typed
    ref = await reader.resolve(kind)
    where = "" if ref.namespace == CLUSTER_SCOPED else namespace
    return replace(ref, name=name, namespace=where)


async def existing_target(reader: ClusterReader, words: Sequence[str], namespace: str) -> ObjectRef:
    """The object that was typed, if it is there.

    Raises:
        UsageError: if nothing was typed, or it is spelled wrongly.
        NotFound: if it is not there.
    """
    ref = await resolve_target(reader, words, namespace)
    if ref is None:
        raise UsageError("no object is named", hint="Write KIND/NAME, as deploy/web.")
    await reader.get(ref)
    return ref
