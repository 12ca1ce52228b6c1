"""The chain of admission: first what may change an object, then what may only refuse it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aegis.localcluster.apiserver.refusals import Forbidden
from aegis.localcluster.apiserver.registry import Registry, Resource
from aegis.localcluster.apiserver.store import Store
from aegis.localcluster.status import ApiError


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One write, as admission sees it; `new` may be changed by the first half of the chain."""

    resource: Resource
    operation: Literal["CREATE", "UPDATE"]
    new: dict[str, Any]
    old: Mapping[str, Any] | None
    dry_run: bool = False
    subresource: str = ""

    @property
    def namespace(self) -> str | None:
        """The object's namespace."""
        namespace: str | None = self.new["metadata"].get("namespace")
        return namespace


class Gate:
    """Every admission step, in order."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store, self._registry = store, registry

    def namespace(self, resource: Resource, namespace: str | None) -> None:
        """Refuse a new object in a namespace that is not there, or is going.

        Raises:
            ApiError: 404 where there is none.
            Forbidden: it is being deleted.
        """
        if namespace is None:
            return
        space = self._store.get("namespaces", (None, namespace))
        if space is None:
            details = {"name": namespace, "kind": "namespaces"}
            raise ApiError(404, "NotFound", f'namespaces "{namespace}" not found', details=details)
        if space["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise Forbidden(resource, "", why)

    def mutate(self, request: Request) -> None:
        """Let every step change the object that may."""

    def judge(self, request: Request) -> None:
        """Let every step refuse the finished object."""
