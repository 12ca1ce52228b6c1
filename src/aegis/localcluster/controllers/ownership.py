"""Adoption and release: a controller owns what its selector matches and nobody else controls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from aegis.localcluster.api import ClusterApi, Object
from aegis.localcluster.controllers.objects import (
    controller_of,
    controller_reference,
    is_terminating,
    key_of,
    owners_of,
    uid_of,
)


def claim(
    api: ClusterApi, resource: str, owner: Object, candidates: Iterable[Object], *, matches: Callable[[Object], bool]
) -> list[Object]:
    """The candidates that `owner` controls, after it adopted what matches and released what no longer does.

    Args:
        api: where ownership is written.
        resource: the resource of the candidates.
        owner: the Deployment or ReplicaSet.
        candidates: objects of the owner's namespace.
        matches: whether the owner's selector matches an object.

    Raises:
        ApiError: ownership could not be written.
    """
    claimed = []
    for one in candidates:
        holder = controller_of(one)
        if holder is not None and holder["uid"] != uid_of(owner):
            continue
        if matches(one):
            if holder is not None:
                claimed.append(one)
            elif not is_terminating(owner) and not is_terminating(one):
                adopted = [*owners_of(one), controller_reference(owner)]
                claimed.append(_write_owners(api, resource, one, adopted))
        elif holder is not None and not is_terminating(owner):
            _write_owners(api, resource, one, [o for o in owners_of(one) if o["uid"] != uid_of(owner)])
    return claimed


def _write_owners(api: ClusterApi, resource: str, obj: Object, owners: list[Any]) -> Object:
    namespace, name = key_of(obj)
    patch = {"metadata": {"uid": uid_of(obj), "ownerReferences": owners or None}}
    return api.patch(resource, namespace, name, patch, manager="kube-controller-manager")
