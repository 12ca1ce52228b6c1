"""Server-side apply: a manager states the fields it wants; what it stated before and no longer does is removed.

The order is structured-merge-diff's: merge the configuration into the live object, prune what this manager alone let
go of, then see which other managers' fields would change (a conflict, unless forced).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aegis.localcluster.apiserver import managed
from aegis.localcluster.apiserver.fieldsets import (
    FieldSet,
    difference,
    intersection,
    path_text,
    paths,
    union,
)
from aegis.localcluster.apiserver.managed import Entry
from aegis.localcluster.apiserver.objects import Object, copied
from aegis.localcluster.apiserver.refusals import BadRequest, NotFound
from aegis.localcluster.apiserver.registry import Place, Resource
from aegis.localcluster.apiserver.store import Store
from aegis.localcluster.apiserver.typed import View, compare, fields_of, merge, remove, view_of, with_named_fields
from aegis.localcluster.apiserver.validation.decoding import StrictDecoding
from aegis.localcluster.apiserver.writing import WriteOptions, Writer, undeclared
from aegis.localcluster.status import ApiError, Cause


class ApplyConflict(ApiError):
    """409: other managers hold fields that this configuration would change."""

    def __init__(self, conflicts: Sequence[tuple[Entry, FieldSet]]) -> None:
        found = [(_shown(entry), path_text(path)) for entry, fields in conflicts for path in paths(fields)]
        causes = [Cause(reason="FieldManagerConflict", message=f"conflict with {m}", field=p) for m, p in found]
        if len(found) == 1:
            message = f"Apply failed with 1 conflict: conflict with {found[0][0]}: {found[0][1]}"
        else:
            parts = [f"conflicts with {m}:\n" + "\n".join(f"- {p}" for n, p in found if n == m) for m in dict(found)]
            message = f"Apply failed with {len(found)} conflicts: " + "\n".join(parts)
        super().__init__(409, "Conflict", message, causes=causes)


@dataclass(frozen=True, slots=True)
class _Applied:
    """The object that results, and its managers' entries."""

    object: Object
    entries: list[Object]


class Applier:
    """Applies a configuration on behalf of a manager."""

    def __init__(self, store: Store, writer: Writer) -> None:
        self._store, self._writer = store, writer

    def apply(
        self, place: Place, given: Mapping[str, Any], options: WriteOptions, *, force: bool
    ) -> tuple[Object, bool]:
        """The object afterwards, and whether it is new.

        Raises:
            BadRequest: the configuration names another object, or managedFields.
            NotFound: a subresource of an object that is not there.
        """
        resource = place.resource
        config = _configuration(place, given)
        _check_declared(resource, config, options)
        live = self._store.get(resource.stored_as, place.key)
        mine = managed.Writer(manager=options.manager, subresource=options.subresource).entry(resource, "Apply")
        wanted = managed.tracked(resource, fields_of(view_of(resource), config), options.subresource)
        mine = replace(mine, fields=wanted)
        if live is None:
            if options.subresource:
                raise NotFound(resource, place.name)
            if config["metadata"].get("uid"):
                raise BadRequest("uid mismatch: the provided object specified a uid, and no existing object was found")
            config["metadata"].pop("resourceVersion", None)
            entries = managed.wire([mine])
            return self._writer.create(resource, place.namespace, config, replace(options, managed=entries)), True
        applied = _applied(resource, live, config, mine, force=force)
        options = replace(options, managed=applied.entries)
        return self._writer.update(place, applied.object, options), False


def _check_declared(resource: Resource, config: Object, options: WriteOptions) -> None:
    # A field that the type does not have cannot be anybody's.
    unknown = undeclared(resource, config)
    if not unknown:
        return
    if options.field_validation == "Strict":
        raise StrictDecoding(resource, unknown)
    listed = ", ".join(f".{u}: field not declared in schema" for u in unknown)
    raise BadRequest(f"failed to create typed patch object ({resource.api_version}, Kind={resource.kind}): {listed}")


def _configuration(place: Place, given: Mapping[str, Any]) -> Object:
    config: Object = copied(given)
    metadata = config.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise BadRequest("metadata must be an object")
    if metadata.get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    if not config.get("apiVersion") or not config.get("kind"):
        raise BadRequest("Object 'apiVersion' and 'kind' must be set in an apply configuration")
    if metadata.get("name") not in {None, "", place.name}:
        raise BadRequest(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({place.name})"
        )
    metadata["name"] = place.name
    return config


def _applied(resource: Resource, live: Mapping[str, Any], config: Object, mine: Entry, *, force: bool) -> _Applied:
    view = view_of(resource)
    entries = managed.entries_of(live)
    last = next((e.fields for e in entries if e.is_same(mine)), {})
    others = [e for e in entries if not e.is_same(mine)]
    merged = merge(view, live, config)
    if last:
        merged = _pruned(view, merged, last, [*others, mine])
    before, after = _bare(live), _bare(merged)
    changes = compare(view, before, after)
    contested = union(changes.added, changes.modified)
    conflicts = [(e, both) for e in others if (both := intersection(e.fields, contested))]
    if conflicts and not force:
        raise ApplyConflict(conflicts)
    lost = union(contested, changes.removed)
    kept = [replace(e, fields=difference(e.fields, lost)) for e in others]
    metadata = {**merged["metadata"]}
    stated = config["metadata"].get("resourceVersion")
    metadata["resourceVersion"] = stated or None
    return _Applied({**merged, "metadata": metadata}, managed.wire([*kept, mine]))


def _pruned(view: View, merged: Object, last: FieldSet, entries: Sequence[Entry]) -> Object:
    """The merged object without what the manager stated last time, except what anybody states or holds now."""
    last_named = with_named_fields(view, last)
    pruned = _removed(view, merged, last_named)
    owned: FieldSet = {}
    for entry in entries:
        owned = union(owned, entry.fields)
    merged_set = with_named_fields(view, fields_of(view, merged))
    kept_set = with_named_fields(view, fields_of(view, pruned))
    owned = with_named_fields(view, owned)
    pruned = _removed(view, merged, difference(merged_set, union(kept_set, owned)))
    kept_set = with_named_fields(view, fields_of(view, pruned))
    return _removed(view, merged, intersection(difference(merged_set, kept_set), last_named))


def _removed(view: View, obj: Object, fields: FieldSet) -> Object:
    identity = {k: v for k, v in fields.items() if k not in {"f:apiVersion", "f:kind"}}
    if "f:metadata" in identity:
        metadata = {
            k: v
            for k, v in identity["f:metadata"].items()
            if k in {"f:labels", "f:annotations", "f:finalizers", "f:ownerReferences"}
        }
        identity["f:metadata"] = metadata
    result: Object = remove(view, obj, identity) or {}
    return {**result, "metadata": result.get("metadata") or {}}


def _bare(obj: Mapping[str, Any]) -> Object:
    return {
        **obj,
        "metadata": {k: v for k, v in obj["metadata"].items() if k not in {"managedFields", "resourceVersion"}},
    }


def _shown(entry: Entry) -> str:
    text = f'"{entry.manager}"'
    if entry.subresource:
        text += f' with subresource "{entry.subresource}"'
    if entry.operation == "Update":
        text += f" using {entry.api_version}"
        text += f" at {entry.time}" if entry.time else ""
    return text
