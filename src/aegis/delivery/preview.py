"""What the changes of a fix would make of production: the server's own answer (dry-run), before anything is written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aegis.delivery.difference import content_of, difference, inverse
from aegis.errors import Conflict, NotFound, Refused
from aegis.kube.ownership import autoscaler_of, managers_of, takes_over
from aegis.model.changes import Apply, Change, Delete, Evict, JsonPatch
from aegis.model.drift import changed_marks, spec_hash
from aegis.model.incident import Undo
from aegis.model.refs import Json, JsonObject, ObjectRef
from aegis.ports import Actuator, ClusterReader, Purpose

ABSENT = ""
"""The hash of an object that is not there."""

_TRIES = 8
_PAUSE_SECONDS = 0.1
"""Between tries when an object moved under our eyes."""

_AUTOSCALERS = (
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("keda.sh/v1alpha1", "ScaledObject"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A field that another manager owns and that the approval takes over."""

    manager: str
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPreview:
    """One object before and after one change.

    Attributes:
        change: the change.
        before: the object as it is.
        after: as the server says it would be; None where it would be gone.
        taken: the fields that change hands.
        autoscaled: whether an autoscaler owns its number of replicas.
    """

    change: Change
    before: JsonObject
    after: JsonObject | None
    taken: tuple[Taken, ...] = ()
    autoscaled: bool = False

    @property
    def ref(self) -> ObjectRef:
        """Which object."""
        return self.change.target

    @property
    def uid(self) -> str:
        """The uid it has now."""
        return str((self.before.get("metadata") or {}).get("uid") or "")

    @property
    def resource_version(self) -> str:
        """The version it has now: the precondition of the write."""
        return str((self.before.get("metadata") or {}).get("resourceVersion") or "")

    @property
    def marks(self) -> tuple[str, ...]:
        """The labels and annotations that change."""
        return () if self.after is None else changed_marks(self.before, self.after)

    @property
    def before_hash(self) -> str:
        """What a person declared of it, before."""
        return spec_hash(self.before, autoscaled=self.autoscaled, marks=self.marks)

    @property
    def after_hash(self) -> str:
        """The same, after."""
        return ABSENT if self.after is None else spec_hash(self.after, autoscaled=self.autoscaled, marks=self.marks)

    @property
    def operations(self) -> list[JsonObject]:
        """The difference, as RFC 6902 operations; empty for an object that goes."""
        return [] if self.after is None else difference(content_of(self.before), content_of(self.after))


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """All objects of a change set, before and after."""

    objects: tuple[ObjectPreview, ...]

    def of(self, ref: ObjectRef) -> ObjectPreview | None:
        """The preview of one object."""
        return next((item for item in self.objects if item.ref == ref), None)

    def diff(self) -> tuple[JsonObject, ...]:
        """What the approval covers of it: each object's hash, operations and the fields that change hands."""
        return tuple(
            {
                "target": item.ref.to_dict(),
                "uid": item.uid,
                "specHash": item.before_hash,
                "gone": item.after is None,
                "operations": item.operations,
                "taken": [[taken.manager, taken.field] for taken in item.taken],
            }
            for item in self.objects
        )

    def undo(self) -> Undo:
        """How to go back."""
        return Undo(
            changes=tuple(change for item in reversed(self.objects) for change in _undo_of(item)),
            before_hashes={str(item.ref): item.before_hash for item in self.objects},
            after_hashes={str(item.ref): item.after_hash for item in self.objects},
            uids={str(item.ref): item.uid for item in self.objects},
            marks={str(item.ref): item.marks for item in self.objects if item.marks},
        )


async def preview(reader: ClusterReader, actuator: Actuator, changes: Sequence[Change], purpose: Purpose) -> Preview:
    """Ask the server what the changes would make of each object.

    Raises:
        Refused: if a field belongs to somebody whose work must not be undone, or a rule of the actuator forbids it.
        NotFound: if an object is not there.
        Invalid: if the server refuses the content.
        Conflict: if an object does not hold still for a moment.
    """
    return Preview(objects=tuple([await _still(reader, actuator, change, purpose) for change in changes]))


async def is_autoscaled(reader: ClusterReader, obj: Json) -> bool:
    """Whether an autoscaler owns the object's number of replicas."""
    if "replicas" not in (obj.get("spec") or {}):
        return False
    namespace = str((obj.get("metadata") or {}).get("namespace") or "")
    for api_version, kind in _AUTOSCALERS:
        scalers = await reader.list(api_version, kind, namespace=namespace)
        if autoscaler_of(obj, scalers) is not None:
            return True
    return False


async def _still(reader: ClusterReader, actuator: Actuator, change: Change, purpose: Purpose) -> ObjectPreview:
    """Look again where somebody wrote between the look and the question: most often only a status.

    Raises:
        Conflict: if that goes on, or it is about fields.
    """
    for _ in range(_TRIES - 1):
        try:
            return await _preview_one(reader, actuator, change, purpose)
        except Conflict as error:
            if error.conflicts:
                raise
        await asyncio.sleep(_PAUSE_SECONDS)
    return await _preview_one(reader, actuator, change, purpose)


async def _preview_one(reader: ClusterReader, actuator: Actuator, change: Change, purpose: Purpose) -> ObjectPreview:
    before = await reader.get(change.target)
    autoscaled = await is_autoscaled(reader, before)
    found = ObjectPreview(change=change, before=before, after=None, autoscaled=autoscaled)
    if isinstance(change, Delete | Evict):
        _same_uid(found, change.uid)
        await actuator.change(change, purpose, dry_run=True)
        return found
    found = await _with_after(actuator, found, purpose)
    if autoscaled and any(operation["path"] == "/spec/replicas" for operation in found.operations):
        raise Refused(
            f"an autoscaler owns the replicas of {change.target}",
            hint="Change the autoscaler's bounds instead.",
        )
    return found


async def _with_after(actuator: Actuator, found: ObjectPreview, purpose: Purpose) -> ObjectPreview:
    """Without force first; where only fields of kubectl's own managers stand in the way, with it.

    Raises:
        Conflict: if it is not about fields.
    """
    change, version = found.change, found.resource_version
    try:
        after = await actuator.change(change, purpose, resource_version=version, dry_run=True)
        taken: tuple[Taken, ...] = ()
    except Conflict as error:
        taken = tuple(Taken(manager=manager, field=field) for manager, field in error.conflicts)
        if not taken:
            raise
        _refuse_unless_takeable(found.ref, taken)
        after = await actuator.change(change, purpose, resource_version=version, force=True, dry_run=True)
    shown = replace(found, after=after, taken=taken)
    if isinstance(change, JsonPatch):
        taken = tuple(_owned(found.before, shown.operations))
        _refuse_unless_takeable(found.ref, taken)
    return replace(shown, taken=taken)


def _owned(before: Json, operations: list[JsonObject]) -> list[Taken]:
    """Whose fields a JSON patch writes: the server asks nobody there, so managedFields must tell."""
    return [
        Taken(manager=manager, field=operation["path"])
        for operation in operations
        for manager in sorted(managers_of(before, operation["path"]))
        if not manager.startswith("aegis")
    ]


def _refuse_unless_takeable(ref: ObjectRef, taken: tuple[Taken, ...]) -> None:
    others = sorted({item.manager for item in taken if not takes_over(item.manager)})
    if others:
        fields = ", ".join(sorted({item.field for item in taken if item.manager in others}))
        raise Refused(
            f"{', '.join(others)} owns {fields} of {ref} and would write it back",
            hint="Hand the fix to its owner: aegis fix … --emit DIR.",
        )


def _same_uid(found: ObjectPreview, uid: str) -> None:
    if uid and found.uid != uid:
        raise NotFound(f"{found.ref} is another object now (uid {found.uid}, not {uid})")


def _undo_of(item: ObjectPreview) -> list[Change]:
    match item.change:
        case Apply() | JsonPatch():
            operations = _inverse(item)
            return [JsonPatch(target=item.ref, patch=tuple(operations))] if operations else []
        case Delete():
            return [Apply(target=item.ref, patch=content_of(item.before))]
        case Evict():
            return []


def _inverse(item: ObjectPreview) -> list[JsonObject]:
    operations = inverse(content_of(item.before), content_of(item.after or {}))
    if not operations:
        return []
    metadata = (item.after or {}).get("metadata") or {}
    missing: list[JsonObject] = [
        {"op": "add", "path": f"/metadata/{field}", "value": {}}
        for field in ("labels", "annotations")
        if not metadata.get(field) and any(op["path"].startswith(f"/metadata/{field}/") for op in operations)
    ]
    return [{"op": "test", "path": "/metadata/uid", "value": item.uid}, *missing, *operations]
