"""What reading and writing share: a transport, the catalogue of resources, and refusals as errors of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.drivers.kubernetes.catalogue import Catalogue
from aegis.drivers.kubernetes.faults import Doing
from aegis.drivers.kubernetes.kubeconfig import Endpoint
from aegis.drivers.kubernetes.resources import Resource
from aegis.drivers.kubernetes.transport import Call, Refusal, Transport
from aegis.errors import Invalid
from aegis.model.refs import JsonObject, ObjectRef


class Gateway:
    """One API server, as reader and writer see it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._catalogue = Catalogue(transport)

    @property
    def api_calls(self) -> Mapping[str, int]:
        """How many requests were sent so far, by verb."""
        return dict(self._transport.calls)

    @property
    def endpoint(self) -> Endpoint:
        """Where it leads; `notices` are what a person should be told about it."""
        return self._transport.endpoint

    async def _json(self, call: Call) -> JsonObject:
        try:
            return await self._transport.json(call)
        except Refusal as refusal:
            raise refusal.translated() from None


def call_on(resource: Resource, verb: str, method: str, ref: ObjectRef, **more: Any) -> Call:
    """A call on one object.

    Raises:
        Invalid: if the name is missing, or the namespace.
    """
    if not ref.name:
        raise Invalid(f"{verb} {resource.full_name}: no name is given")
    if resource.namespaced and not ref.namespace:
        raise Invalid(f"{verb} {resource.full_name} {ref.name}: no namespace is given")
    namespace = ref.namespace if resource.namespaced else ""
    doing = Doing(verb=verb, resource=resource.full_name, namespace=namespace, name=ref.name)
    return Call(doing=doing, method=method, path=resource.path(namespace, ref.name), **more)
