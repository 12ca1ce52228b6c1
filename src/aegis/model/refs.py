"""Naming one object of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

Json = Mapping[str, Any]
"""A JSON object that is only read."""

JsonObject = dict[str, Any]
"""A JSON object that is being built."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ObjectRef:
    """Which object: `apps/v1`, `Deployment`, `web`, `shop` (an empty namespace: cluster-scoped)."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""

    @classmethod
    def of(cls, obj: Json) -> ObjectRef:
        """The reference of an object as the API server returns it."""
        metadata = obj.get("metadata") or {}
        return cls(
            api_version=str(obj.get("apiVersion") or "v1"),
            kind=str(obj.get("kind") or ""),
            name=str(metadata.get("name") or ""),
            namespace=str(metadata.get("namespace") or ""),
        )

    @property
    def group(self) -> str:
        """The API group; empty for the core."""
        return self.api_version.rpartition("/")[0]

    def within(self, namespace: str) -> ObjectRef:
        """The same object in another namespace (a cluster-scoped one stays as it is)."""
        return replace(self, namespace=namespace) if self.namespace else self

    def to_dict(self) -> JsonObject:
        """As CONTRACT.md writes a target: `kind`, `name`, `namespace`, `apiVersion`."""
        return {"kind": self.kind, "name": self.name, "namespace": self.namespace, "apiVersion": self.api_version}

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.kind}/{self.name}{where}"
