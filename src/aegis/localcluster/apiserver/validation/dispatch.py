"""Finds the checks of a kind and runs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aegis.localcluster.apiserver.registry import Resource
from aegis.localcluster.status import Cause


def validate(
    resource: Resource,
    obj: Mapping[str, Any],
    old: Mapping[str, Any] | None,
    *,
    subresource: str = "",
    trusted: bool = False,
) -> list[Cause]:
    """Every fault of an object; `old` is what it replaces."""
    return []


def unknown_fields(resource: Resource, obj: dict[str, Any], mode: str, warnings: list[str]) -> None:
    """Deal with fields that the type does not have."""
