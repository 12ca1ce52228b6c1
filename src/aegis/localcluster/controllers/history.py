"""The revisions of a StatefulSet's or DaemonSet's template, kept as ControllerRevisions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aegis.kube.selector import label_selector
from aegis.localcluster.api import ClusterApi, Object
from aegis.localcluster.controllers.objects import controller_reference, is_terminating, key_of, labels_of, uid_of
from aegis.localcluster.controllers.ownership import claim
from aegis.localcluster.controllers.revisions import template_hash

HASH = "controller-revision-hash"
_REVISIONS, _MANAGER = "controllerrevisions.apps", "kube-controller-manager"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """The revision that a template has.

    Attributes:
        name: of its ControllerRevision.
        hash: the short name of the template.
        number: which rises with each change, also with a change back.
    """

    name: str
    hash: str
    number: int


class History:
    """Keeps the ControllerRevisions of the objects of one controller."""

    def __init__(self, api: ClusterApi) -> None:
        self._api = api

    def current(self, owner: Object) -> Revision:
        """The revision of the owner's template, which is made, or made the newest, where it is not.

        Raises:
            ApiError: a write was refused.
        """
        known = self._of(owner)
        wanted = revision_for(owner, max((r["revision"] for r in known), default=0) + 1)
        found = next((r for r in known if r["data"] == wanted["data"]), None)
        if found is None:
            found = self._api.create(_REVISIONS, wanted, manager=_MANAGER)
        elif found["revision"] < wanted["revision"] - 1:
            namespace, name = key_of(found)
            newest = {"revision": wanted["revision"]}
            found = self._api.patch(_REVISIONS, namespace, name, newest, manager=_MANAGER)
        return Revision(name=found["metadata"]["name"], hash=labels_of(found)[HASH], number=found["revision"])

    def template(self, owner: Object, name: str) -> Object | None:
        """The pod template that a revision keeps, or None."""
        stored = self._api.get(_REVISIONS, owner["metadata"]["namespace"], name)
        if stored is None:
            return None
        return {k: v for k, v in stored["data"]["spec"]["template"].items() if k != "$patch"}

    def trim(self, owner: Object, in_use: Iterable[str]) -> None:
        """Delete the oldest revisions beyond the limit, but none that is in use (a name or a hash).

        Raises:
            ApiError: a deletion was refused.
        """
        used = set(in_use)
        idle = [r for r in self._of(owner) if not used & {r["metadata"]["name"], labels_of(r)[HASH]}]
        limit = owner["spec"].get("revisionHistoryLimit", 10)
        for revision in sorted(idle, key=lambda r: r["revision"])[: max(0, len(idle) - limit)]:
            namespace, name = key_of(revision)
            self._api.delete(_REVISIONS, namespace, name, uid=uid_of(revision))

    def _of(self, owner: Object) -> list[Object]:
        selector = label_selector(owner["spec"]["selector"])
        stored = self._api.list(_REVISIONS, owner["metadata"]["namespace"])
        owned = claim(self._api, _REVISIONS, owner, stored, matches=lambda r: selector.matches(labels_of(r)))
        return [r for r in owned if not is_terminating(r) and HASH in labels_of(r)]


def revision_for(owner: Object, number: int) -> Object:
    """The ControllerRevision of the owner's template: its data is the patch that brings the template back."""
    spec, metadata = owner["spec"], owner["metadata"]
    short = template_hash(spec["template"], 0)
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"{metadata['name']}-{short}",
            "namespace": metadata["namespace"],
            "labels": {**labels, HASH: short},
            "annotations": dict(metadata.get("annotations") or {}),
            "ownerReferences": [controller_reference(owner)],
        },
        "data": {"spec": {"template": {**spec["template"], "$patch": "replace"}}},
        "revision": number,
    }
