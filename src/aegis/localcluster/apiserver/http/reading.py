"""Get and list."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from aegis.localcluster.apiserver.core import Core
from aegis.localcluster.apiserver.http.call import Call, Reply
from aegis.localcluster.apiserver.http.rendering import render, render_list
from aegis.localcluster.apiserver.http.selecting import selection
from aegis.localcluster.apiserver.refusals import BadRequest, Expired, NotFound
from aegis.localcluster.apiserver.store import Store, Stored

_FUTURE = "Too large resource version"


@dataclass(frozen=True, slots=True)
class _Token:
    """Where a paged list goes on: the revision it is a list of, and the last key that was sent."""

    revision: int
    after: tuple[str, str]

    def text(self) -> str:
        raw = json.dumps({"v": "meta.k8s.io/v1", "rv": self.revision, "start": list(self.after)})
        return base64.urlsafe_b64encode(raw.encode()).rstrip(b"=").decode()


def get(core: Core, call: Call) -> Reply:
    """One object.

    Raises:
        NotFound: it is not there.
    """
    place = call.place
    found = core.store.get(place.resource.stored_as, place.key)
    if found is None:
        raise NotFound(place.resource, place.name)
    return render(call, found)


def list_objects(core: Core, call: Call) -> Reply:
    """A list, or a page of one."""
    limit = call.number("limit") or 0
    token = _token(call.query.get("continue", ""))
    revision = token.revision if token else core.store.revision
    objects = _objects(core.store, call, token)
    chosen = selection(call)
    matching = [o for o in objects if chosen.matches(o)]
    if token:
        matching = [o for o in matching if _key(o) > token.after]
    metadata: dict[str, object] = {"resourceVersion": str(revision)}
    if 0 < limit < len(matching):
        page = matching[:limit]
        metadata["continue"] = _Token(revision, _key(page[-1])).text()
        if not (chosen.labels or chosen.fields):
            metadata["remainingItemCount"] = len(matching) - limit
        matching = page
    return render_list(call, matching, metadata)


def _objects(store: Store, call: Call, token: _Token | None) -> list[Stored]:
    storage, namespace = call.resource.stored_as, call.namespace
    if token is not None:
        try:
            return store.objects_at(storage, namespace, token.revision)
        except Expired:
            message = (
                "The provided continue parameter is too old to display a consistent list result. You can start a new "
                "list without the continue parameter"
            )
            raise Expired(message) from None
    wanted = call.number("resourceVersion") or 0
    if wanted > store.revision:
        raise BadRequest(f"{_FUTURE}: {wanted}, current: {store.revision}")
    if call.query.get("resourceVersionMatch") == "Exact":
        if not wanted:
            raise BadRequest("resourceVersionMatch Exact needs a resourceVersion")
        return store.objects_at(storage, namespace, wanted)
    return store.objects(storage, namespace)


def _token(text: str) -> _Token | None:
    if not text:
        return None
    try:
        raw = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        namespace, name = raw["start"]
        return _Token(int(raw["rv"]), (str(namespace), str(name)))
    except (ValueError, TypeError, KeyError, binascii.Error):
        raise BadRequest("continue key is not valid") from None


def _key(obj: Stored) -> tuple[str, str]:
    return obj["metadata"].get("namespace") or "", obj["metadata"]["name"]
