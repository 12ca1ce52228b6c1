"""Who manages which field (metadata.managedFields)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.localcluster.apiserver.registry import Resource

Object = dict[str, Any]


def created(resource: Resource, obj: Mapping[str, Any], manager: str) -> list[Object]:
    """The entries of a new object."""
    return []


def updated(
    resource: Resource, old: Mapping[str, Any], new: Mapping[str, Any], manager: str, subresource: str
) -> list[Object]:
    """The entries after an update by `manager`."""
    return []


def same_entries(before: object, after: object) -> bool:
    """Whether two lists of entries differ in nothing but their times."""
    return before == after
