"""The chain of admission: first what may change an object, then what may only refuse it.

A further policy is one more `Step` of the chain; what is refused earlier takes nothing from a quota.
"""

from __future__ import annotations

from aegis.localcluster.apiserver.admission.limits import LimitRanges
from aegis.localcluster.apiserver.admission.pods import PodDefaults
from aegis.localcluster.apiserver.admission.podsecurity import PodSecurity
from aegis.localcluster.apiserver.admission.quotas import Quotas
from aegis.localcluster.apiserver.admission.request import Request, Step
from aegis.localcluster.apiserver.admission.roles import RoleEscalation
from aegis.localcluster.apiserver.admission.services import ServiceAddresses
from aegis.localcluster.apiserver.admission.storage import StorageDefaults
from aegis.localcluster.apiserver.admission.unimplemented import Unkept
from aegis.localcluster.apiserver.refusals import Forbidden
from aegis.localcluster.apiserver.registry import Resource
from aegis.localcluster.apiserver.store import Store
from aegis.localcluster.status import ApiError


class Gate:
    """Every admission step, in order."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._steps: tuple[Step, ...] = (
            PodDefaults(store),
            LimitRanges(store),
            ServiceAddresses(store),
            Unkept(),
            RoleEscalation(store),
            PodSecurity(store),
            StorageDefaults(store),
            Quotas(store),
        )

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
        for step in self._steps:
            step.mutate(request)

    def judge(self, request: Request) -> None:
        """Let every step refuse the finished object."""
        for step in self._steps:
            step.judge(request)
