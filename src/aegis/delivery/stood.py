"""How everything that a trial rests on stood when it was tried: each object of the change set, and what it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from aegis.delivery.preview import ABSENT, is_autoscaled
from aegis.errors import PermissionDenied
from aegis.kube.pod_template import pod_spec_of, references
from aegis.model.changes import Apply, Change
from aegis.model.drift import spec_hash
from aegis.model.refs import Json, ObjectRef
from aegis.ports import ClusterReader

_NAMED = frozenset({"ConfigMap", "Secret"})
_HIDDEN = "hidden"
"""How a Secret stands that AEGIS may not read."""


async def stand(reader: ClusterReader, target: ObjectRef, changes: Sequence[Change]) -> dict[str, str]:
    """How the reported object, each object of the changes, and the ConfigMaps and Secrets that they name stand now.

    Args:
        reader: reads them.
        target: what was reported; a Pod is passed over, for its owner replaces it as it likes.
        changes: the changes that are tried.

    Returns:
        By `str(ObjectRef)`: the uid and the hash of the content; of a Secret that is only named, the uid and the
        version, so that nothing is stored from which its value could be guessed.
    """
    refs = dict.fromkeys(change.target for change in changes)
    if target.kind != "Pod":
        refs[target] = None
    stood: dict[str, str] = {}
    named: dict[ObjectRef, None] = {}
    for ref in refs:
        live = await reader.find(ref)
        stood[str(ref)] = ABSENT if live is None else await _with_hash(reader, live)
        named.update(dict.fromkeys(_named(ref, live or {})))
    for change in changes:
        if isinstance(change, Apply):
            named.update(dict.fromkeys(_named(change.target, {**change.patch, "kind": change.target.kind})))
    for ref in named:
        if str(ref) not in stood:
            stood[str(ref)] = await _of_named(reader, ref)
    return stood


def moved(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """The names of what does not stand as it stood, or stood nowhere."""
    return tuple(sorted(name for name in {*before, *now} if before.get(name) != now.get(name)))


def _named(ref: ObjectRef, obj: Json) -> Iterator[ObjectRef]:
    for found in references(pod_spec_of(obj) or {}):
        if found.kind in _NAMED:
            yield ObjectRef(api_version="v1", kind=found.kind, name=found.name, namespace=ref.namespace)


async def _of_named(reader: ClusterReader, ref: ObjectRef) -> str:
    try:
        live = await reader.find(ref)
    except PermissionDenied:
        return _HIDDEN
    if live is None:
        return ABSENT
    metadata = live.get("metadata") or {}
    told = metadata.get("resourceVersion") if ref.kind == "Secret" else spec_hash(live)
    return f"{metadata.get('uid')} {told}"


async def _with_hash(reader: ClusterReader, live: Json) -> str:
    uid = (live.get("metadata") or {}).get("uid")
    return f"{uid} {spec_hash(live, autoscaled=await is_autoscaled(reader, live))}"
