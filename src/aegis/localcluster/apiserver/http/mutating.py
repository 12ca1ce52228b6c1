"""Create, update, patch, delete: the verbs that change objects."""

from __future__ import annotations

from typing import Any

from aegis.localcluster.apiserver import patching
from aegis.localcluster.apiserver.applying import Applier
from aegis.localcluster.apiserver.core import Core
from aegis.localcluster.apiserver.http.bodies import MAX_OBJECT, TooLarge, UnsupportedType
from aegis.localcluster.apiserver.http.call import Call, Reply, reply, success
from aegis.localcluster.apiserver.http.rendering import list_kind, render
from aegis.localcluster.apiserver.http.selecting import selection
from aegis.localcluster.apiserver.presenting import as_stored, presented
from aegis.localcluster.apiserver.refusals import BadRequest, Invalid, NotFound, Unimplemented, invalid_value
from aegis.localcluster.apiserver.registry import Place
from aegis.localcluster.apiserver.store import encode
from aegis.localcluster.apiserver.writing import WriteOptions

_WEBHOOKS = "admissionregistration.k8s.io"


def create(core: Core, call: Call) -> Reply:
    """POST to a collection.

    Raises:
        Unimplemented: objects of this kind would have no effect that they promise.
    """
    if call.resource.group == _WEBHOOKS:
        raise Unimplemented("admission webhooks: they would never be called")
    given = _given(call)
    created = core.writer.create(core.registry.kept(call.resource), call.namespace, given, call.write_options())
    return render(call, created, 201)


def update(core: Core, call: Call) -> Reply:
    """PUT of an object or of its status.

    Raises:
        BadRequest: the body is no object, or has no name.
        NotFound: there is no such object.
        Invalid: a custom object comes without its resourceVersion.
    """
    given = _given(call)
    if not (given.get("metadata") or {}).get("name"):
        raise BadRequest("name must be provided")
    if core.store.get(call.resource.stored_as, call.place.key) is None:
        raise NotFound(call.resource, call.place.name)
    if call.resource.custom and not (given.get("metadata") or {}).get("resourceVersion"):
        fault = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
        raise Invalid(call.resource, call.place.name, [fault])
    return render(call, core.writer.update(_kept_place(core, call), given, call.write_options()))


def patch(core: Core, call: Call) -> Reply:
    """PATCH of any of the four types.

    Raises:
        BadRequest: the patch is empty.
        NotFound: there is no such object.
        UnsupportedType: the resource does not take patches of this type.
    """
    if call.content_type == patching.APPLY:
        return _apply(core, call)
    accepted = patching_types(call)
    if call.content_type not in accepted:
        raise UnsupportedType(", ".join((*accepted, patching.APPLY)))
    if call.body is None:
        raise BadRequest("the patch is empty")
    place = _kept_place(core, call)
    current = core.store.get(place.resource.stored_as, place.key)
    if current is None:
        raise NotFound(place.resource, place.name)
    new = patching.patched(place.resource, presented(call.resource, current), call.body, call.content_type)
    _check_size(new)
    return render(call, core.writer.update(place, as_stored(call.resource, new), call.write_options()))


def delete(core: Core, call: Call) -> Reply:
    """DELETE of an object: a Status once it is gone, the object while something holds it."""
    deleted = core.deleter.delete(call.place, call.delete_options())
    if not deleted.gone or call.resource.kind in {"Pod", "Service"}:
        return render(call, deleted.object)
    details = {"name": call.name, "group": call.resource.group, "kind": call.resource.plural}
    uid = deleted.object["metadata"]["uid"]
    return success(details={**{k: v for k, v in details.items() if v}, "uid": uid})


def delete_collection(core: Core, call: Call) -> Reply:
    """DELETE of all that a selector selects."""
    options, chosen = call.delete_options(), selection(call)
    objects = [o for o in core.store.objects(call.resource.stored_as, call.namespace) if chosen.matches(o)]
    for obj in objects:
        metadata = obj["metadata"]
        place = type(call.place)(call.resource, metadata.get("namespace"), metadata["name"])
        core.deleter.delete(place, options)
    revision = str(core.store.revision)
    return reply({
        "kind": list_kind(call.resource),
        "apiVersion": call.resource.api_version,
        "metadata": {"resourceVersion": revision},
        "items": objects,
    })


def patching_types(call: Call) -> tuple[str, ...]:
    """The patch types that a resource takes, beside server-side apply."""
    base = (patching.JSON_PATCH, patching.MERGE)
    return base if call.resource.custom else (*base, patching.STRATEGIC)


def _apply(core: Core, call: Call) -> Reply:
    given = _given(call)
    if not call.query.get("fieldManager"):
        raise BadRequest(
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
        )
    applier = Applier(core.store, core.writer)
    options: WriteOptions = call.write_options()
    applied, created = applier.apply(_kept_place(core, call), given, options, force=call.flag("force"))
    return render(call, applied, 201 if created else 200)


def _kept_place(core: Core, call: Call) -> Place:
    return Place(core.registry.kept(call.resource), call.namespace, call.name or "")


def _given(call: Call) -> dict[str, Any]:
    if not isinstance(call.body, dict):
        raise BadRequest("the body of the request must be an object")
    _check_size(call.body)
    given = as_stored(call.resource, call.body)
    metadata = given.get("metadata")
    if call.namespace is None and call.resource.namespaced and isinstance(metadata, dict):
        raise BadRequest("an empty namespace may not be set during creation")
    return dict(given)


def _check_size(obj: Any) -> None:
    if len(encode(obj)) > MAX_OBJECT:
        raise TooLarge("the object", MAX_OBJECT)
