"""Create and update: the one way by which an object gets into the store.

The order is a real server's: metadata, defaults, admission that changes, validation, admission that judges, managed
fields, generation, store. A dry run goes the whole way and stores nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aegis.localcluster.apiserver import admission, managed
from aegis.localcluster.apiserver.access import User
from aegis.localcluster.apiserver.defaults import apply_defaults
from aegis.localcluster.apiserver.objects import (
    SYSTEM_METADATA,
    Object,
    copied,
    generated_name,
    metadata_faults,
    new_uid,
    timestamp,
)
from aegis.localcluster.apiserver.refusals import (
    AlreadyExists,
    BadRequest,
    Invalid,
    Modified,
    NotFound,
    invalid_value,
    required,
)
from aegis.localcluster.apiserver.registry import Place, Resource
from aegis.localcluster.apiserver.schema.resources import prepare
from aegis.localcluster.apiserver.store import Store, Stored
from aegis.localcluster.apiserver.validation import validate
from aegis.localcluster.apiserver.validation.decoding import StrictDecoding, decode, drop, path_text

FieldValidation = Literal["Ignore", "Warn", "Strict"]

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that holds a CustomResourceDefinition until its objects are gone."""
_KEEPS_STATUS_ON_CREATE = frozenset({"Node"})
_WITH_GENERATION = frozenset({
    "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Job", "CronJob", "Pod",
    "Ingress", "IngressClass", "NetworkPolicy", "PodDisruptionBudget", "CustomResourceDefinition", "EndpointSlice",
    "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "PriorityClass",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """How a write is asked for.

    Attributes:
        manager: whose fields these become.
        subresource: `status`, `scale` and so on; empty for the object itself.
        trusted: a part of the cluster itself writes; it may set what a client may not.
        managed: the managedFields to store, where server-side apply has worked them out.
        user: who writes; None for a part of the cluster itself.
        warnings: collects what the client is to be told.
    """

    manager: str = "unknown"
    dry_run: bool = False
    field_validation: FieldValidation = "Warn"
    subresource: str = ""
    trusted: bool = False
    managed: list[Object] | None = None
    user: User | None = None
    warnings: list[str] = field(default_factory=list)


class Writer:
    """Writes objects, in full order."""

    def __init__(self, store: Store, gate: admission.Gate) -> None:
        self._store, self._gate = store, gate

    def create(
        self, resource: Resource, namespace: str | None, given: Mapping[str, Any], options: WriteOptions
    ) -> Object:
        """Store a new object; admission may refuse it too, with 403 or 404.

        Raises:
            AlreadyExists: the name is taken.
            Invalid: with every fault of the object.
        """
        obj: Object = copied(given)
        _check_type(resource, obj)
        metadata = _new_metadata(resource, namespace, obj)
        if resource.has_status() and resource.kind not in _KEEPS_STATUS_ON_CREATE and not options.trusted:
            obj.pop("status", None)
        _decoded(resource, obj, options)
        key = (metadata.get("namespace"), metadata["name"])
        self._gate.namespace(resource, key[0])
        if self._store.get(resource.stored_as, key) is not None:
            raise AlreadyExists(resource, key[1])
        if not resource.custom:
            apply_defaults(resource.kind, obj)
        self._admit(resource, obj, None, options)
        if resource.custom or resource.kind in _WITH_GENERATION:
            metadata["generation"] = 1
        entries = options.managed
        if entries is None:
            entries = managed.created(resource, obj, managed.Writer(manager=options.manager))
        _set_managed(metadata, entries)
        if options.dry_run:
            return obj
        return self._store.put(resource.stored_as, key, obj)

    def update(self, place: Place, given: Mapping[str, Any], options: WriteOptions) -> Object:
        """Replace an object, or its status; a precondition may refuse it with 400 or 409, admission with 403.

        Raises:
            NotFound: there is no such object.
            Invalid: with every fault of the new object.
        """
        resource, key = place.resource, place.key
        old = self._store.get(resource.stored_as, key)
        if old is None:
            raise NotFound(resource, place.name)
        obj: Object = copied(given)
        _check_type(resource, obj)
        _check_preconditions(resource, old, obj)
        new = _merged_parts(resource, old, obj, options)
        _decoded(resource, new, options)
        if options.subresource != "status" and not resource.custom:
            apply_defaults(resource.kind, new)
        self._admit(resource, new, old, options)
        _track(resource, old, new, options)
        if _same(old, new):
            return old
        if _spec_changed(resource, old, new):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if options.dry_run:
            return new
        if may_vanish(resource, new):
            return self._store.remove(resource.stored_as, key, new)
        return self._store.put(resource.stored_as, key, new)

    def _admit(self, resource: Resource, new: Object, old: Stored | None, options: WriteOptions) -> None:
        # Admission may change the object, then it is validated, then admission may only refuse it.
        request = admission.Request(
            resource=resource,
            operation="CREATE" if old is None else "UPDATE",
            new=new,
            old=old,
            dry_run=options.dry_run,
            subresource=options.subresource,
            user=options.user,
            warnings=options.warnings,
        )
        self._gate.mutate(request)
        faults = metadata_faults(resource.kind, new["metadata"])
        faults += validate(resource, new, old, subresource=options.subresource, trusted=options.trusted)
        if faults:
            raise Invalid(resource, new["metadata"]["name"], faults)
        self._gate.judge(request)


def undeclared(resource: Resource, given: Mapping[str, Any]) -> list[str]:
    """The paths of the fields that the type of a resource does not have."""
    if resource.custom:
        return prepare(resource.custom, copied(given))
    return [path_text(p) for p in decode(resource, given)]


def _decoded(resource: Resource, obj: Object, options: WriteOptions) -> None:
    # Nulls and unknown fields fall away, or the write is refused.
    if resource.custom:
        unknown = prepare(resource.custom, obj)
    elif options.trusted:
        return
    else:
        paths = decode(resource, obj)
        unknown = [path_text(p) for p in paths]
        for path in paths:
            drop(obj, path)
        _drop_nulls(obj)
    if unknown and options.field_validation == "Strict":
        raise StrictDecoding(resource, unknown)
    if options.field_validation == "Warn":
        options.warnings.extend(f'unknown field "{u}"' for u in unknown)


def _drop_nulls(value: Any) -> None:
    if isinstance(value, dict):
        for name in [n for n, v in value.items() if v is None]:
            del value[name]
        for item in value.values():
            _drop_nulls(item)
    elif isinstance(value, list):
        for item in value:
            _drop_nulls(item)


def may_vanish(resource: Resource, obj: Mapping[str, Any]) -> bool:
    """Whether an object being deleted is held by nothing any more."""
    metadata = obj["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if resource.kind == "Namespace" and not resource.group:
        return not (obj.get("spec") or {}).get("finalizers")
    return not metadata.get("deletionGracePeriodSeconds")


def _check_type(resource: Resource, obj: Object) -> None:
    for name, expected in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        if obj.get(name) not in {None, "", expected}:
            raise BadRequest(
                f"the object provided is unrecognized (must be of type {resource.kind}): {name} is {obj[name]!r}, "
                f"expected {expected!r}"
            )
        obj[name] = expected
    metadata = obj.get("metadata")
    if metadata is None:
        obj["metadata"] = {}
    elif not isinstance(metadata, dict):
        raise BadRequest("metadata must be an object")


def _new_metadata(resource: Resource, namespace: str | None, obj: Object) -> Object:
    metadata: Object = obj["metadata"]
    if resource.namespaced:
        if metadata.get("namespace") not in {None, "", namespace}:
            raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    if metadata.get("resourceVersion"):
        raise BadRequest("resourceVersion should not be set on objects to be created")
    if not metadata.get("name"):
        if not metadata.get("generateName"):
            raise Invalid(resource, "", [required("metadata.name", "name or generateName is required")])
        metadata["name"] = generated_name(str(metadata["generateName"]))
    for name in (
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "managedFields",
        "generation",
    ):
        metadata.pop(name, None)
    metadata["uid"] = new_uid()
    metadata["creationTimestamp"] = timestamp()
    if resource.kind == "Namespace" and not resource.group:
        obj.setdefault("spec", {})["finalizers"] = ["kubernetes"]
    if resource.kind == "CustomResourceDefinition":
        metadata["finalizers"] = [*(metadata.get("finalizers") or ()), CLEANUP]
    return metadata


def _check_preconditions(resource: Resource, old: Stored, new: Object) -> None:
    before, after = old["metadata"], new["metadata"]
    name = before["name"]
    if after.get("resourceVersion") not in {None, "", before["resourceVersion"]}:
        raise Modified(resource, name)
    if after.get("uid") not in {None, "", before["uid"]}:
        raise Invalid(resource, name, [invalid_value("metadata.uid", after["uid"], "field is immutable")])
    if after.get("name") not in {None, "", name}:
        raise BadRequest(f"the name of the object ({after['name']}) does not match the name on the URL ({name})")
    if resource.namespaced and after.get("namespace") not in {None, "", before["namespace"]}:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")


def _merged_parts(resource: Resource, old: Stored, obj: Object, options: WriteOptions) -> Object:
    """The new object: what this request may change from `obj`, everything else as it stands."""
    if options.subresource == "status":
        new = {k: v for k, v in old.items() if k != "status"}
        if obj.get("status") is not None:
            new["status"] = obj["status"]
        new["metadata"] = dict(old["metadata"])
        return new
    new = obj
    if resource.has_status():
        new.pop("status", None)
        if "status" in old:
            new["status"] = copied(old["status"])
    metadata = new["metadata"]
    for name in SYSTEM_METADATA:
        metadata.pop(name, None)
        if name in old["metadata"]:
            metadata[name] = old["metadata"][name]
    for name in ("labels", "annotations", "finalizers", "ownerReferences"):
        if name in metadata and not metadata[name]:
            del metadata[name]
    if (
        resource.kind == "Namespace"
        and not resource.group
        and not options.trusted
        and options.subresource != "finalize"
    ):
        new["spec"] = copied(old.get("spec") or {})
    return new


def _track(resource: Resource, old: Stored, new: Object, options: WriteOptions) -> None:
    if options.managed is not None:
        _set_managed(new["metadata"], options.managed)
    elif not _same(old, new):
        who = managed.Writer(manager=options.manager, subresource=options.subresource)
        _set_managed(new["metadata"], managed.updated(resource, old, new, who))


def _set_managed(metadata: Object, entries: list[Object]) -> None:
    metadata.pop("managedFields", None)
    if entries:
        metadata["managedFields"] = entries


def _same(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    if any(old.get(k) != new.get(k) for k in {*old, *new} if k != "metadata"):
        return False
    before, after = old["metadata"], new["metadata"]
    compared = {*before, *after} - {"resourceVersion", "managedFields", "generation"}
    if any(before.get(k) != after.get(k) for k in compared):
        return False
    return managed.same_entries(before.get("managedFields"), after.get("managedFields"))


def _spec_changed(resource: Resource, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    if not resource.custom and resource.kind not in _WITH_GENERATION:
        return False
    ignored = {"metadata", "status"} if resource.has_status() else {"metadata"}
    return any(old.get(k) != new.get(k) for k in {*old, *new} - ignored)
